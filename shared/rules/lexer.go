package rules

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// token is one word of an expression, as the customer wrote it and as it is
// handed on.
type token struct {
	at   int    // where it begins in the customer's text, in characters
	text string // as written
	out  string // as expr reads it
}

// prefix keeps the customer's names apart from expr's own words and functions.
const prefix = "x_"

// maxNesting bounds parentheses and NOTs inside each other.
const maxNesting = 64

// operators of the dialect, the longest first.
var operators = []struct{ text, out string }{
	{"<>", "!="}, {"==", "=="}, {"!=", "!="}, {"<=", "<="}, {">=", ">="}, {"&&", "&&"}, {"||", "||"}, {"?.", "."},
	{"=>", ""}, {"??", ""}, {"..", ""},
	{"=", "=="}, {"<", "<"}, {">", ">"}, {"!", "!"}, {"(", "("}, {")", ")"}, {",", ","}, {".", "."},
}

// refusals say what is not part of the dialect, and what to write instead.
var refusals = map[string]string{
	"=>": "expressions inside of Any, Count and the like are not supported; Any() and Count without one are",
	"??": "?? is not supported; navigation through NULL gives NULL by itself",
	"?":  "the conditional operator is not supported; write two rules, or AND and OR",
	"[":  "indexes are not supported",
	"{":  "{ } are not supported",
	";":  "a rule is one expression, without a semicolon",
	"&":  "write AND or &&",
	"|":  "write OR or ||",
	"+":  "a rule compares values, it can not calculate with them",
	"-":  "a rule compares values, it can not calculate with them",
	"*":  "a rule compares values, it can not calculate with them",
	"/":  "a rule compares values, it can not calculate with them",
	"%":  "a rule compares values, it can not calculate with them",
}

// lexer translates an expression word by word.
type lexer struct {
	src    []rune
	i      int
	tokens []token
	nots   []int // how many NOTs are open at each depth of parentheses
	opened []int // where the parentheses that are open began
}

// syntaxError is what is wrong and where.
type syntaxError struct {
	at   int
	text string
}

func (e *syntaxError) Error() string { return e.text }

// scan returns the words of an expression. NOT as a word binds less than
// comparisons and more than AND, as in SQL: it gets parentheses of its own.
func scan(text string) (tokens []token, err *syntaxError) {
	l := &lexer{src: []rune(text), nots: []int{0}}
	for {
		for l.i < len(l.src) && (unicode.IsSpace(l.src[l.i]) || l.src[l.i] == '\ufeff') {
			l.i++
		}
		if l.i == len(l.src) {
			break
		}
		if err := l.next(); err != nil {
			return nil, err
		}
		if len(l.opened)+l.nots[len(l.nots)-1] > maxNesting || l.bangs() > maxNesting {
			return nil, &syntaxError{l.i - 1, "the expression is nested too deeply"}
		}
	}
	if n := len(l.opened); n > 0 {
		return nil, &syntaxError{l.opened[n-1], "this parenthesis is not closed"}
	}
	l.closeNots()
	return l.tokens, nil
}

// bangs counts the ! at the end.
func (l *lexer) bangs() (n int) {
	for i := len(l.tokens) - 1; i >= 0 && l.tokens[i].out == "!"; i-- {
		n++
	}
	return n
}

func (l *lexer) next() *syntaxError {
	switch c := l.src[l.i]; {
	case c == '_' || unicode.IsLetter(c):
		l.word()
	case unicode.IsDigit(c) && c < unicode.MaxASCII:
		return l.number(l.i)
	case c == '-' && l.i+1 < len(l.src) && unicode.IsDigit(l.src[l.i+1]) && l.operandNext():
		return l.number(l.i)
	case strings.ContainsRune("\"'“”„‘’", c):
		return l.text(c)
	default:
		return l.operator()
	}
	return nil
}

func (l *lexer) add(at int, out string) {
	text := ""
	if at < l.i {
		text = string(l.src[at:l.i])
	}
	l.tokens = append(l.tokens, token{at, text, out})
}

func (l *lexer) word() {
	at := l.i
	for l.i < len(l.src) && (l.src[l.i] == '_' || unicode.IsLetter(l.src[l.i]) || unicode.IsDigit(l.src[l.i])) {
		l.i++
	}
	word := string(l.src[at:l.i])
	if n := len(l.tokens); n > 0 && l.tokens[n-1].out == "." {
		l.add(at, prefix+word)
		return
	}
	switch strings.ToUpper(word) {
	case "AND":
		l.closeNots()
		l.add(at, "&&")
	case "OR":
		l.closeNots()
		l.add(at, "||")
	case "NOT":
		l.nots[len(l.nots)-1]++
		l.add(at, "!(")
	case "NULL":
		l.add(at, "nil")
	case "TRUE", "FALSE":
		l.add(at, strings.ToLower(word))
	default:
		l.add(at, prefix+word)
	}
}

// closeNots ends the NOTs of this depth.
func (l *lexer) closeNots() {
	depth := len(l.nots) - 1
	for ; l.nots[depth] > 0; l.nots[depth]-- {
		l.tokens = append(l.tokens, token{l.i, "", ")"})
	}
}

// operandNext reports that an operator stands before, so that a minus is a sign.
func (l *lexer) operandNext() bool {
	if len(l.tokens) == 0 {
		return true
	}
	switch l.tokens[len(l.tokens)-1].out {
	case "==", "!=", "<", "<=", ">", ">=", "(", ",", "!(":
		return true
	}
	return false
}

func (l *lexer) number(at int) *syntaxError {
	l.i++
	for l.i < len(l.src) && (unicode.IsDigit(l.src[l.i]) || l.src[l.i] == '.' && l.i+1 < len(l.src) && unicode.IsDigit(l.src[l.i+1])) {
		l.i++
	}
	value := string(l.src[at:l.i])
	if l.i < len(l.src) && strings.ContainsRune("mMdDfFlL", l.src[l.i]) {
		l.i++ // the suffix of C#
	}
	if _, err := strconv.ParseFloat(value, 64); err != nil || len(value) > 18 {
		return &syntaxError{at, fmt.Sprintf("%s is no number that can be compared", value)}
	}
	l.add(at, value)
	return nil
}

// closers are the marks that end a text begun with the key; word processors
// turn the straight ones into others.
var closers = map[rune]string{'"': `"`, '\'': `'`, '“': `”“"`, '”': `”"`, '„': `“”"`, '‘': `’'`, '’': `’'`}

func (l *lexer) text(open rune) *syntaxError {
	at := l.i
	var b strings.Builder
	for l.i++; l.i < len(l.src); l.i++ {
		switch c := l.src[l.i]; {
		case strings.ContainsRune(closers[open], c):
			l.i++
			l.add(at, strconv.QuoteToASCII(b.String()))
			return nil
		case c == '\\' && l.i+1 < len(l.src):
			l.i++
			switch e := l.src[l.i]; e {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '\\', '"', '\'', '/':
				b.WriteRune(e)
			default:
				return &syntaxError{l.i - 1, `\` + string(e) + ` is not known; write \\ for a backslash`}
			}
		default:
			b.WriteRune(c)
		}
	}
	return &syntaxError{at, "this text is not closed with a quotation mark"}
}

func (l *lexer) operator() *syntaxError {
	at := l.i
	rest := string(l.src[at:min(at+2, len(l.src))])
	for _, o := range operators {
		if !strings.HasPrefix(rest, o.text) {
			continue
		}
		if o.out == "" {
			break
		}
		switch o.out {
		case "(":
			l.opened, l.nots = append(l.opened, at), append(l.nots, 0)
		case ")":
			if len(l.opened) == 0 {
				return &syntaxError{at, "this parenthesis closes none"}
			}
			l.closeNots()
			l.opened, l.nots = l.opened[:len(l.opened)-1], l.nots[:len(l.nots)-1]
		case ",", "&&", "||":
			l.closeNots()
		}
		l.i += len(o.text)
		l.add(at, o.out)
		return nil
	}
	for _, n := range []int{2, 1} {
		if why, ok := refusals[string([]rune(rest)[:min(n, len([]rune(rest)))])]; ok {
			return &syntaxError{at, why}
		}
	}
	return &syntaxError{at, fmt.Sprintf("%q has no meaning here", string(l.src[at]))}
}
