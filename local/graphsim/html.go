package graphsim

import (
	"html"
	"regexp"
	"strings"
)

// Exchange never returns a body as it was sent: HTML is wrapped in its own head, scripts go, and
// text turns into HTML and back with CRLF line ends.

const (
	htmlHead     = "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">"
	htmlFromText = htmlHead + "<meta name=\"Generator\" content=\"Microsoft Exchange Server\">\r\n<!-- converted from text -->\r\n" +
		"<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } --></style></head>\r\n" +
		"<body>\r\n<font size=\"2\"><span style=\"font-size:11pt;\"><div class=\"PlainText\">"
	htmlFromTextEnd = "</div></span></font>\r\n</body>\r\n</html>\r\n"
)

var (
	bodyElement = regexp.MustCompile(`(?is)<body[^>]*>(.*)</body>`)
	unsafe      = regexp.MustCompile(`(?is)<(script|iframe|object|embed)\b.*?(</(script|iframe|object|embed)>|$)`)
	invisible   = regexp.MustCompile(`(?is)<(head|style|script|title)\b.*?</(head|style|script|title)>|<!--.*?-->`)
	lineBreak   = regexp.MustCompile(`(?i)<br\s*/?>|</(p|div|li|tr|h[1-6])>`)
	anyTag      = regexp.MustCompile(`(?s)<[^>]*>`)
	spaces      = regexp.MustCompile(`[ \t\r\n]+`)
)

// readBody renders the stored body in the wanted type.
func (e *Event) readBody(asText bool) string {
	switch {
	case e.Body == "":
		return ""
	case asText && e.BodyType == "text":
		return crlf(e.Body)
	case asText:
		return crlf(htmlToText(e.Body)) + "\r\n"
	case e.BodyType == "text":
		escaped := strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(e.Body, "\r\n", "\n")), "\n", "<br>\r\n")
		return htmlFromText + escaped + htmlFromTextEnd
	}
	inner := e.Body
	if m := bodyElement.FindStringSubmatch(inner); m != nil {
		inner = strings.TrimSpace(m[1])
	}
	return htmlHead + "</head>\r\n<body>\r\n" + unsafe.ReplaceAllString(inner, "") + "\r\n</body>\r\n</html>\r\n"
}

// preview is bodyPreview: the first 255 characters of the text.
func (e *Event) preview() string {
	r := []rune(crlf(e.Text()))
	return string(r[:min(len(r), 255)])
}

func htmlToText(s string) string {
	s = invisible.ReplaceAllString(s, "")
	s = spaces.ReplaceAllString(s, " ")
	s = lineBreak.ReplaceAllString(s, "\n")
	s = html.UnescapeString(anyTag.ReplaceAllString(s, ""))
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
