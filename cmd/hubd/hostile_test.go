package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

const (
	hubPath   = "/.well-known/mercure"
	hostLine  = "Host: hub.example\r\n"
	formLine  = "Content-Type: " + formType + "\r\n"
	post      = "POST " + hubPath + " HTTP/1.1\r\n" + hostLine + formLine
	pipelined = "GET /healthz HTTP/1.1\r\n" + hostLine + "\r\n"
)

// attack is input that no well-behaved client sends. statuses are those of the answers in turn, after which the hub closes
// the connection; an attack with open leaves it open.
type attack struct {
	input    string
	statuses []int
	open     bool
}

// Request smuggling: input of which two servers may think that it is another number of requests. None of them is read as
// more than one (RFC 9112, section 11.2).
func smuggling() map[string]attack {
	refused := func(input string) attack { return attack{input: input + pipelined, statuses: []int{400}} }
	all := map[string]attack{
		"length and chunks":                 refused(post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"chunks and length":                 refused(post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
		"two lengths":                       refused(post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
		"one length twice":                  refused(post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"),
		"a list of lengths":                 refused(post + "Content-Length: 4, 4\r\n\r\nabcd"),
		"identity coding":                   refused(post + "Content-Length: 4\r\nTransfer-Encoding: identity\r\n\r\nabcd"),
		"identity coding alone":             refused(post + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
		"a coding that is no coding":        refused(post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
		"a coding before chunks":            refused(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
		"two codings":                       refused(post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
		"a folded line":                     refused(post + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
		"a folded first line":               refused("GET /healthz HTTP/1.1\r\n X: a\r\n" + hostLine + "\r\n"),
		"a line feed alone in a field":      refused(post + "X: a\nContent-Length: 0\r\n\r\n"),
		"a line feed alone at the end":      refused("GET /healthz HTTP/1.1\r\n" + hostLine + "\n"),
		"a carriage return alone":           refused(post + "X: a\rContent-Length: 0\r\n\r\n"),
		"a space before the colon":          refused(post + "Content-Length : 4\r\n\r\nabcd"),
		"a tab before the colon":            refused(post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
		"a field in the trailer that leads": refused(post + "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: other.example\r\n\r\n"),
		"a length beside chunks of a GET":   refused("GET /healthz HTTP/1.1\r\n" + hostLine + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"chunks without a line break":       refused(post + "Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n"),
		"chunks with line feeds alone":      refused(post + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n"),
	}
	for _, length := range []string{"+4", "-4", "0x4", "4a", "99999999999999999999"} {
		all["the length "+length] = refused(post + "Content-Length: " + length + "\r\n\r\nabcd")
	}
	for _, size := range []string{"-1", "0x1", "g", " 1", "+1", "", "7fffffffffffffff", "FFFFFFFFFFFFFFFFFF"} {
		all["a chunk of "+size] = refused(post + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\na\r\n0\r\n\r\n")
	}
	return all
}

// malformed is other input on the level of HTTP.
func malformed() map[string]attack {
	get := "GET /healthz HTTP/1.1\r\n" + hostLine
	return map[string]attack{
		"header of more than 32 KB":  {input: get + "X: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", statuses: []int{431}},
		"a long header of timeouts":  {input: get + "Keep-Alive: timeout=5\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", statuses: []int{431}},
		"garbage about a timeout":    {input: "i/o timeout\r\n\r\n" + strings.Repeat(pipelined, 100_000), statuses: []int{400}},
		"half a chunk's size":        {input: post + "Transfer-Encoding: chunked\r\n\r\n5", statuses: []int{408}},
		"half a chunk's extension":   {input: post + "Transfer-Encoding: chunked\r\n\r\n5;x", statuses: []int{408}},
		"100,000 header lines":       {input: get + strings.Repeat("A: b\r\n", 100_000) + "\r\n", statuses: []int{431}},
		"a token of 1 MB":            {input: post + "Authorization: Bearer " + strings.Repeat("a", 1<<20) + "\r\n\r\n", statuses: []int{431}},
		"a token of 1 MB in the URL": {input: "GET " + hubPath + "?topic=a&authorization=" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{431}},
		"a token of 30 KB":           {input: "GET " + hubPath + "?topic=a&authorization=" + strings.Repeat("a", 30<<10) + " HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{401}, open: true},
		"a body of 10 GB":            {input: post + "Content-Length: 9999999999\r\n\r\n", statuses: []int{413}},
		"a body of endless chunks":   {input: post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("a", 4096)+"\r\n", 400), statuses: []int{413}},
		"garbage behind a request":   {input: pipelined + strings.Repeat("\x00\xff garbage", 1000) + "\r\n\r\n", statuses: []int{200, 400}},
		"garbage":                    {input: strings.Repeat("\x00\xff\r\n", 1000) + "\r\n\r\n", statuses: []int{400}},
		"10,000 pipelined requests":  {input: strings.Repeat("GET /nowhere HTTP/1.1\r\n"+hostLine+"\r\n", 10_000), statuses: many(404, 10_000), open: true},
		"NUL in a field":             {input: get + "X: a\x00b\r\n\r\n", statuses: []int{400}},
		"NUL in the target":          {input: "GET /healthz\x00 HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{400}},
		"no host":                    {input: "GET /healthz HTTP/1.1\r\n\r\n", statuses: []int{400}},
		"two hosts":                  {input: "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", statuses: []int{400}},
		"absolute form":              {input: "GET http://other.example/nowhere HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{404}, open: true},
		"authority form":             {input: "GET other.example:80 HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{400}},
		"CONNECT":                    {input: "CONNECT other.example:80 HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{404}, open: true},
		"asterisk form":              {input: "OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{404}, open: true},
		"HTTP/0.9":                   {input: "GET /healthz\r\n\r\n", statuses: []int{400}},
		"much behind two opinions":   {input: post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + strings.Repeat(pipelined, 100_000), statuses: []int{400}},
		"much behind HTTP/3.7":       {input: "GET /healthz HTTP/3.7\r\n" + hostLine + "\r\n" + strings.Repeat(pipelined, 100_000), statuses: []int{505}},
		"HTTP/2 by prior knowledge":  {input: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00", statuses: []int{505}},
		"HTTP/3.7":                   {input: "GET /healthz HTTP/3.7\r\n" + hostLine + "\r\n", statuses: []int{505}},
		// It has no line break by chance, so the hub waits for one as long as for any header.
		"a TLS client": {input: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("a", 500), statuses: []int{408}},
		"a bomb":       {input: post + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", statuses: []int{415}, open: true},
		"a multipart form": {
			input:    "POST " + hubPath + " HTTP/1.1\r\n" + hostLine + "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 4\r\n\r\n--x\r",
			statuses: []int{401}, open: true,
		},
	}
}

func many(status, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = status
	}
	return all
}

// Input that attacks the hub gets a clear status or a closed connection, one answer for a request, and leaves nothing
// behind. The next client is served.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	before := footprintOf(t, p)
	var mu sync.Mutex
	sent := 0
	t.Run("all", func(t *testing.T) {
		for _, group := range []map[string]attack{smuggling(), malformed()} {
			for name, a := range group {
				for range lateStarters + 1 {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						a.run(t, p)
						serves(t, p)
						mu.Lock()
						defer mu.Unlock()
						sent += len(a.input)
					})
				}
			}
		}
	})
	awaitFootprint(t, p, before)
	t.Logf("%d bytes of bad input tried", sent)
}

// run sends the input over a connection of its own and reads every answer.
func (a attack) run(t *testing.T, p *hubtest.Process) {
	t.Helper()
	conn := dialRaw(t, p)
	var writing sync.WaitGroup
	writing.Go(func() {
		// The hub may refuse before it has read everything. Whoever goes on nonetheless is not disturbed.
		if _, err := io.WriteString(conn, a.input); err != nil {
			t.Errorf("sending the input: %v", err)
		}
	})
	defer writing.Wait()
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for i, want := range a.statuses {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d of %d: %v", i+1, len(a.statuses), err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != want {
			t.Fatalf("answer %d is %d %q (%v), want %d", i+1, res.StatusCode, body, err, want)
		}
		if want != http.StatusOK && bytes.Count(body, []byte("\n")) != 1 {
			t.Errorf("answer is not one line: %q", body)
		}
	}
	if a.open {
		writing.Wait()
		if _, err := io.WriteString(conn, pipelined); err != nil {
			t.Fatalf("the connection is not open: %v", err)
		}
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("the request after it: %v, %v", res, err)
		}
		return
	}
	writing.Wait()
	if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
		t.Errorf("after the last answer came %q and %v, not the end of the connection", rest, err)
	}
}

// serves demands that a well-behaved client is served.
func serves(t *testing.T, p *hubtest.Process) {
	t.Helper()
	if status, body := hubtest.Get(t, p.Address()+"/healthz"); status != http.StatusOK {
		t.Errorf("the next client gets %d %q", status, body)
	}
}

// Half requests end after the time that a request may take, whether they say nothing, a part of the head byte by byte, or a
// part of the body, and others are served all the while.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	before := footprintOf(t, p)
	watching := p.Subscribe(t, "topic="+enc(topic))
	var wg sync.WaitGroup
	for i := range 300 {
		conn := dialRaw(t, p)
		input := []string{"", "G", "GET " + hubPath + "?topic=a HTTP/1.1\r\n" + hostLine + "X: ", post + "Content-Length: 1000\r\n\r\ntopic="}[i%4]
		if _, err := io.WriteString(conn, input); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { ended(t, conn, i%4 == 2) })
	}
	p.AwaitMetric(t, "hubd_connections", "301")
	p.PublishData(t, topic, "while they wait")
	watching.Expect(t, "while they wait")
	wg.Wait()
	watching.Close()
	awaitFootprint(t, p, before)
}

// ended reads a connection to its end; a client that trickles writes a byte now and then, and gains no time by it.
func ended(t *testing.T, conn net.Conn, trickles bool) {
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 1024)
	patience := time.Now().Add(hubtest.Patience)
	for {
		if trickles {
			if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
				t.Error(err)
				return
			}
		}
		_, err := conn.Read(buf)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && trickles && time.Now().Before(patience):
			_, _ = conn.Write([]byte("x"))
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Error("a half request keeps its connection")
			return
		default:
			return
		}
	}
}

// Who is refused in the middle of a request, and neither sends the rest nor closes the connection, loses it.
func TestRefusedClientThatStays(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	conn := dialRaw(t, p)
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, post+"Content-Length: 9999999999\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	p.AwaitMetric(t, "hubd_connections", "0")
}

// What a subscription or an update may hold: text that is none, and more matchers, or dearer ones, than are taken.
func TestHostileParameters(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	before := footprintOf(t, p)
	publisher := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	bad := []string{"%ff", "%00", "a%c3%28", "%ed%a0%80", "%f4%90%80%80", "%c0%80"}
	repeated := func(name, pattern string, n int) string {
		return strings.Repeat(name+"="+pattern+"&", n) + "x"
	}
	type refusal struct {
		name, method, query, body string
		status                    int
	}
	refusals := []refusal{
		{"10,000 matchers", "QUERY", "", repeated("match", "a", 10_000), 400},
		{"a cursor of 1 MB", "QUERY", "", "match=a&last_event_id=" + strings.Repeat("a", 1_000_000), 400},
		{"10,000 cursors", "QUERY", "", repeated("last_event_id", "a", 10_000), 400},
		{"100 long patterns", "QUERY", "", repeated("match_urlpattern", "/"+strings.Repeat(enc("é"), 1000), 100), 400},
		{"100 patterns with many groups", "QUERY", "", repeated("match_urlpattern", "/"+strings.Repeat(enc("(a)"), 17), 100), 400},
		{"100 patterns with many options", "QUERY", "", repeated("match_urlpattern", "/"+strings.Repeat(enc("{a}?"), 17), 100), 400},
		{"a pattern that repeats", "QUERY", "", repeated("match_urlpattern", enc("/((?:a{0,30}){0,30})"), 1), 400},
		{"a pattern that nests", "QUERY", "", repeated("match_urlpattern", "/"+strings.Repeat("(", 2000)+strings.Repeat(")", 2000), 1), 400},
		{"a template with many variables", "QUERY", "", repeated("topic", "{a"+strings.Repeat(",a", 1000)+"}", 1), 400},
		{"100,000 topics", "POST", "", repeated("topic", "a", 100_000), 413},
		{"100,000 unknown fields", "POST", "", strings.Repeat("a&", 100_000), 400},
		{"nothing but separators", "POST", "", strings.Repeat("&", 100_000), 400},
		{"a body that is compressed", "QUERY", "", "match=a", 415},
	}
	for _, text := range bad {
		for _, name := range []string{"topic", "match", "match_urlpattern"} {
			refusals = append(refusals, refusal{name + "=" + text, "GET", "?" + name + "=" + text, "", 400})
		}
		refusals = append(refusals,
			refusal{"the topic " + text, "POST", "", "topic=" + text, 400},
			refusal{"the id " + text, "POST", "", "topic=a&id=" + text, 400},
			refusal{"the type " + text, "POST", "", "topic=a&type=" + text, 400})
		if text != "%00" {
			refusals = append(refusals, refusal{"the data " + text, "POST", "", "topic=a&data=" + text, 400})
		}
	}
	t.Run("all", func(t *testing.T) {
		for _, r := range refusals {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				headers := []string{"Authorization", publisher}
				if r.status == http.StatusUnsupportedMediaType {
					headers = append(headers, "Content-Encoding", "gzip")
				}
				a := hubtest.Do(t, r.method, p.URL+r.query, r.body, headers...)
				if a.Status != r.status || strings.Count(a.Body, "\n") != 1 || len(a.Body) > 1000 {
					t.Errorf("answer is %d %q, want %d with one short line", a.Status, a.Body, r.status)
				}
			})
		}
	})
	s := p.Subscribe(t, "topic="+enc(topic))
	p.PublishData(t, topic, fmt.Sprint("after ", len(refusals), " refusals"))
	s.Expect(t, fmt.Sprint("after ", len(refusals), " refusals"))
	s.Close()
	awaitFootprint(t, p, before)
}
