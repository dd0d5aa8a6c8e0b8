package erpsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	//lint:ignore SA1019 NTLM is made of it
	"golang.org/x/crypto/md4"
)

// WindowsAuth is how an on-premises server with Windows credentials signs people
// in. NTLM authenticates the connection: serve with [ConnContext].
type WindowsAuth int

const (
	// NoWindows: Windows sign-in is off.
	NoWindows WindowsAuth = iota
	// OffersNTLM: ServicesUseNTLMAuthentication is true.
	OffersNTLM
	// OffersNegotiate is the default of the server: Negotiate, and NTLM within it.
	OffersNegotiate
	// KerberosOnly offers Negotiate and refuses NTLM within it.
	KerberosOnly
)

// connection is what the server knows of a TCP connection.
type connection struct {
	mu        sync.Mutex
	challenge []byte // of a handshake under way
	user      string // who has signed in on it
}

type connectionKey struct{}

// ConnContext is for http.Server.ConnContext: it gives each connection a memory.
func ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// Negotiator signs callers in by NTLMv2, as http.sys does before a request
// reaches the service. The zero value offers nothing.
type Negotiator struct {
	Windows WindowsAuth
	// Password of a user, whose name comes without its domain; ok is false if there is none.
	Password func(user string) (password string, ok bool)
	// LockAfter failed attempts in a row a user is locked out; 0 = never.
	LockAfter int

	mu       sync.Mutex
	failures map[string]int
}

// Failures returns how many attempts of a user have failed since the last that succeeded.
func (n *Negotiator) Failures(user string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failures[strings.ToLower(user)]
}

// SignIn returns who has signed in on the request's connection. Otherwise it
// answers the next message of the handshake, or refuses, and returns "".
func (n *Negotiator) SignIn(w http.ResponseWriter, r *http.Request) (user string) {
	conn, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		http.Error(w, "erpsim: serve with ConnContext, NTLM authenticates connections", http.StatusInternalServerError)
		return ""
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "NTLM") && !strings.EqualFold(scheme, "Negotiate") {
		if conn.user != "" {
			return conn.user
		}
		n.refuse(w)
		return ""
	}
	message, err := base64.StdEncoding.DecodeString(token)
	if err != nil || n.Windows == KerberosOnly || n.Windows == OffersNTLM && !strings.EqualFold(scheme, "NTLM") {
		n.refuse(w)
		return ""
	}
	switch kind(message) {
	case 1:
		conn.user, conn.challenge = "", make([]byte, 8)
		_, _ = rand.Read(conn.challenge) // it never fails
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(challengeMessage(conn.challenge)))
		unauthorized(w)
	case 3:
		challenge := conn.challenge
		conn.challenge = nil
		if name := n.verify(message, challenge); name != "" {
			conn.user = name
			return name
		}
		n.refuse(w)
	default:
		n.refuse(w)
	}
	return ""
}

func (n *Negotiator) refuse(w http.ResponseWriter) {
	switch n.Windows {
	case OffersNTLM:
		w.Header().Add("WWW-Authenticate", "NTLM")
	case OffersNegotiate, KerberosOnly:
		w.Header().Add("WWW-Authenticate", "Negotiate")
	}
	unauthorized(w)
}

// unauthorized answers with a page, as IIS does: a client has to read it before
// it can use the connection again.
func unauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=us-ascii")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("<!DOCTYPE HTML><HTML><HEAD><TITLE>Not Authorized</TITLE></HEAD><BODY><h2>Not Authorized</h2><hr><p>HTTP Error 401. The requested resource requires user authentication.</p></BODY></HTML>\r\n"))
}

var signature = []byte("NTLMSSP\x00")

// kind returns the type of an NTLM message, 0 if it is none.
func kind(m []byte) uint32 {
	if len(m) < 12 || !bytes.HasPrefix(m, signature) {
		return 0
	}
	return binary.LittleEndian.Uint32(m[8:])
}

// challengeMessage is message 2 (MS-NLMP 2.2.1.2): unicode, NTLM, target info.
func challengeMessage(challenge []byte) []byte {
	const flags = 0x1 | 0x4 | 0x200 | 0x8000 | 0x10000 | 0x80000 | 0x800000 | 0x20000000 | 0x80000000
	target := encodeUTF16("CORP")
	var info bytes.Buffer
	for _, pair := range []struct {
		id    uint16
		value []byte
	}{{2, target}, {1, encodeUTF16("NAVSERVER")}, {4, encodeUTF16("corp.example")}, {3, encodeUTF16("navserver.corp.example")}, {7, filetime(time.Now())}, {0, nil}} {
		info.Write(binary.LittleEndian.AppendUint16(nil, pair.id))
		info.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(pair.value))))
		info.Write(pair.value)
	}
	const head = 56
	m := append([]byte{}, signature...)
	m = binary.LittleEndian.AppendUint32(m, 2)
	m = appendField(m, len(target), head)
	m = binary.LittleEndian.AppendUint32(m, flags)
	m = append(m, challenge...)
	m = append(m, make([]byte, 8)...)
	m = appendField(m, info.Len(), head+len(target))
	m = append(m, 10, 0, 0x63, 0x45, 0, 0, 0, 15) // version
	return append(append(m, target...), info.Bytes()...)
}

func appendField(m []byte, length, offset int) []byte {
	m = binary.LittleEndian.AppendUint16(m, uint16(length))
	m = binary.LittleEndian.AppendUint16(m, uint16(length))
	return binary.LittleEndian.AppendUint32(m, uint32(offset))
}

// filetime is in tenths of microseconds since 1601.
func filetime(t time.Time) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixNano()/100+116444736000000000))
}

// verify checks message 3 (MS-NLMP 3.3.2) and returns the user's name in the
// spelling of the message; "" if it is not right.
func (n *Negotiator) verify(m, challenge []byte) string {
	response, domain, user := field(m, 20), field(m, 28), decodeUTF16(field(m, 36))
	if len(challenge) != 8 || len(response) < 16+28 || user == "" {
		return ""
	}
	name := strings.ToLower(user)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failures == nil {
		n.failures = map[string]int{}
	}
	password, known := n.Password(user)
	hash := md4.New()
	hash.Write(encodeUTF16(password))
	key := sum(hash.Sum(nil), append(encodeUTF16(strings.ToUpper(user)), domain...))
	if !known || n.LockAfter > 0 && n.failures[name] >= n.LockAfter || !hmac.Equal(sum(key, append(bytes.Clone(challenge), response[16:]...)), response[:16]) {
		n.failures[name]++
		return ""
	}
	delete(n.failures, name)
	return user
}

func sum(key, data []byte) []byte {
	h := hmac.New(md5.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// field returns what a length and offset at a position of a message point to.
func field(m []byte, at int) []byte {
	if len(m) < at+8 {
		return nil
	}
	length, offset := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
	if offset < 0 || offset+length > len(m) {
		return nil
	}
	return m[offset : offset+length]
}

func encodeUTF16(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func decodeUTF16(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	return string(utf16.Decode(units))
}
