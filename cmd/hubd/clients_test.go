package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

// TestEventSourcePackage lets the npm package "eventsource" subscribe to private updates with a token in
// a header, in both dialects, cuts it off while updates are published, and demands that it resumes
// without a gap and without a second copy.
func TestEventSourcePackage(t *testing.T) {
	t.Parallel()
	dir := installNPM(t, "eventsource")
	for name, o := range map[string]auth.MintOptions{
		"0.x": {Dialect: auth.V0, Subscribe: []mercure.Matcher{{Type: mercure.Template, Pattern: "https://example.com/books/{id}"}}},
		"1.0": {
			Dialect: auth.V1, Issuer: "https://issuer.example", Audience: "https://hub.example",
			Issued: time.Now(), Expires: time.Now().Add(time.Hour),
			Subscribe: []mercure.Matcher{{Type: mercure.URLPattern, Pattern: "https://example.com/books/:id"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := t.TempDir()
			args := []string{"--drain=0s", "--issuer=https://issuer.example", "--audience=https://hub.example"}
			hub := hubtest.Start(t, store, args...)
			gate := newGate(t, hub)
			parameter := map[string]string{"0.x": "topic=", "1.0": "match="}[name]
			client := runNode(t, dir, gate.url+"?"+parameter+enc(topic), hubtest.Mint(t, o))
			client.expect(t, line{Event: "open"})

			// The retry field spares the test the package's own three seconds.
			first := publishPrivate(t, hub, "1", "retry", "10")
			client.expect(t, line{Event: "message", ID: first, Data: "1"})
			gate.shut()
			client.expect(t, line{Event: "error"})
			missed := publishPrivate(t, hub, "2")
			hub.Stop(t)
			hub = hubtest.Start(t, store, args...)
			late := publishPrivate(t, hub, "3")
			gate.open(t, hub)

			client.skip(line{Event: "error"})
			client.expect(t, line{Event: "open"})
			client.expect(t, line{Event: "message", ID: missed, Data: "2"})
			client.expect(t, line{Event: "message", ID: late, Data: "3"})
			live := publishPrivate(t, hub, "4")
			client.expect(t, line{Event: "message", ID: live, Data: "4"})
		})
	}
	t.Run("refused without a token", func(t *testing.T) {
		t.Parallel()
		hub := hubtest.Start(t, t.TempDir())
		client := runNode(t, dir, hub.URL+"?topic="+enc(topic))
		client.expect(t, line{Event: "error", Code: http.StatusUnauthorized, Closed: true})
	})
}

func publishPrivate(t *testing.T, hub *hubtest.Process, data string, fields ...string) string {
	t.Helper()
	form := url.Values{"topic": {topic}, "data": {data}, "private": {"on"}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return hub.Publish(t, form)
}

// installNPM copies a directory of testdata into one of the test, installs the packages there that package-lock.json names,
// and returns it.
func installNPM(t *testing.T, name string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("this test needs Node and npm; make test installs them: %v", err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing the packages of %s: %v\n%s", name, err, out)
	}
	return dir
}

// line is what testdata/eventsource/subscribe.mjs writes.
type line struct {
	Event, ID, Data string
	Code            int
	Closed          bool
}

// node is a running subscribe.mjs.
type node struct {
	lines chan line
	next  *line
}

// runNode runs subscribe.mjs until the test ends.
func runNode(t *testing.T, dir string, args ...string) *node {
	t.Helper()
	cmd := exec.Command("node", append([]string{"subscribe.mjs"}, args...)...)
	cmd.Dir = dir
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting node: %v", err)
	}
	n := &node{lines: make(chan line, 1024)}
	go func() {
		defer close(n.lines)
		for decoder := json.NewDecoder(stdout); ; {
			var l line
			if decoder.Decode(&l) != nil {
				return
			}
			n.lines <- l
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range n.lines {
		}
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("stderr of node:\n%s", stderr.String())
		}
	})
	return n
}

// read returns the next line, or an empty one if there is none.
func (n *node) read() line {
	if n.next != nil {
		defer func() { n.next = nil }()
		return *n.next
	}
	select {
	case l := <-n.lines:
		return l
	case <-time.After(hubtest.Patience):
		return line{}
	}
}

// skip passes over lines like this one.
func (n *node) skip(unwanted line) {
	for {
		if l := n.read(); l != unwanted {
			n.next = &l
			return
		}
	}
}

func (n *node) expect(t *testing.T, want line) {
	t.Helper()
	if got := n.read(); got != want {
		t.Fatalf("the client has %+v, want %+v", got, want)
	}
}

// gate is a way to a hub that can be shut: clients keep one address while hubs come and go behind it.
type gate struct {
	url string

	// mu guards the rest, for moments only.
	mu sync.Mutex
	// target is the hub's address, or empty while the gate is shut.
	target string
	// conns are the open connections of both sides.
	conns map[net.Conn]bool
}

func newGate(t *testing.T, hub *hubtest.Process) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{url: "http://" + listener.Addr().String() + "/.well-known/mercure", conns: make(map[net.Conn]bool)}
	g.open(t, hub)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { g.forward(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		g.shut()
		wg.Wait()
	})
	return g
}

func (g *gate) open(t *testing.T, hub *hubtest.Process) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.target = host(t, hub)
}

// shut cuts every connection and refuses new ones.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.target = ""
	for c := range g.conns {
		_ = c.Close()
	}
}

// forward joins a client to the hub until one of them hangs up or the gate is shut.
func (g *gate) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	g.mu.Lock()
	target := g.target
	g.mu.Unlock()
	if target == "" {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	g.mu.Lock()
	if g.target != target {
		g.mu.Unlock()
		return
	}
	g.conns[client], g.conns[server] = true, true
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, client)
		delete(g.conns, server)
	}()
	var wg sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
		_ = from.Close()
	}
	wg.Go(func() { pass(server, client) })
	pass(client, server)
	wg.Wait()
}

func host(t *testing.T, hub *hubtest.Process) string {
	t.Helper()
	u, err := url.Parse(hub.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// event is an SSE event as its fields stand on the wire, in order for each name.
type event map[string][]string

// The requests in testdata/publishers are what publishers send, byte for byte: each library fills in the
// form in a way of its own ("Publication"). Each must be answered with the id, and reach those it is for.
func TestRequestsOfPublishers(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--anonymous")
	publisher := hubtest.Token(t, []string{"*"}, nil)
	subscriber := hubtest.Token(t, nil, []string{"*"})
	for name, c := range map[string]struct {
		want    event
		private bool
		// topics besides https://example.com/NAME.
		alternate string
	}{
		"symfony-curl": {want: event{
			"id": {"urn:example:symfony"}, "event": {"news"}, "retry": {"1500"}, "data": {`{"title":"\u00c9t\u00e9 & co"}`},
		}, private: true, alternate: "alternate topic"},
		"symfony-native": {want: event{"data": {""}}},
		"php-stream":     {want: event{"data": {"Été 1"}}, private: true},
		"php-http10":     {want: event{"data": {"Été"}}},
		"node-fetch":     {want: event{"data": {`{"n":1}`, "+ two"}}, private: true},
		"node-chunked":   {want: event{"data": {"Été 1"}}, private: true},
		"python-urllib":  {want: event{"id": {"urn:example:py"}, "data": {`{"t": "Été"}`}}, alternate: "second"},
		"java":           {want: event{"data": {"Ete & co"}}},
		"ruby":           {want: event{"data": {`{"k":"v"}`}}},
		"go":             {want: event{"event": {"news"}, "data": {"a + b"}}, private: true},
		"expect":         {want: event{"data": {"later"}}},
		"empty-fields":   {want: event{"data": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := "https://example.com/" + name
			everyone := "GET /.well-known/mercure?topic=" + enc(address) + " HTTP/1.1\r\nHost: hub\r\n\r\n"
			granted := strings.Replace(everyone, "\r\n\r\n", "\r\nAuthorization: Bearer "+subscriber+"\r\n\r\n", 1)
			streams := map[string]*rawStream{"granted": subscribeRaw(t, hub, granted), "anonymous": subscribeRaw(t, hub, everyone)}
			if c.alternate != "" {
				streams["alternate"] = subscribeRaw(t, hub, strings.Replace(granted, enc(address), enc(c.alternate), 1))
			}

			id := sendRaw(t, hub, fixture(t, "publishers", name, host(t, hub), publisher))
			marker := hub.PublishData(t, address, "marker")
			if wanted := c.want["id"]; wanted == nil {
				c.want["id"] = []string{id}
			} else if id != wanted[0] {
				t.Errorf("answer is %q, want the publisher's id %q", id, wanted[0])
			}
			for reader, s := range streams {
				if !c.private || reader != "anonymous" {
					if got := s.next(t); !reflect.DeepEqual(got, c.want) {
						t.Errorf("%s: event is %v, want %v", reader, got, c.want)
					}
				}
				if reader == "alternate" {
					continue
				}
				if got, want := s.next(t), (event{"id": {marker}, "data": {"marker"}}); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: event is %v, want %v", reader, got, want)
				}
			}
		})
	}
}

// The requests in testdata/subscribers are what subscribers send, byte for byte, when they connect again.
// Each must be given what it missed and then what is new, private updates among it ("Reconnection",
// "Presenting the Access Token").
func TestRequestsOfSubscribers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "subscribers", "*.http"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no requests to send: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := hubtest.Start(t, t.TempDir(), "--cors-origins=https://example.com")
			publishPrivate(t, hub, "before", "id", "urn:example:before")
			publishPrivate(t, hub, "seen", "id", "urn:example:seen")
			missed := publishPrivate(t, hub, "missed")
			request := fixture(t, "subscribers", name, host(t, hub), hubtest.Token(t, nil, []string{topic}))
			s := subscribeRaw(t, hub, strings.TrimRight(request, "\r\n")+"\r\n\r\n")
			for _, header := range []string{"Last-Event-ID", "Mercure-Last-Event-ID"} {
				if got := s.header.Get(header); got != "urn:example:seen" {
					t.Errorf("%s is %q", header, got)
				}
			}
			if strings.Contains(request, "\r\nOrigin:") && s.header.Get("Access-Control-Allow-Origin") != "https://example.com" {
				t.Errorf("a page of another origin cannot read the stream: %v", s.header)
			}
			live := publishPrivate(t, hub, "live")
			for _, want := range []event{{"id": {missed}, "data": {"missed"}}, {"id": {live}, "data": {"live"}}} {
				if got := s.next(t); !reflect.DeepEqual(got, want) {
					t.Fatalf("event is %v, want %v", got, want)
				}
			}
		})
	}
}

// fixture returns the request of a file: comments left out, lines ended as HTTP does, placeholders
// filled in. The last line break of the file is not part of the request.
func fixture(t *testing.T, kind, name, host, token string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", kind, name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	request := string(text)
	for strings.HasPrefix(request, "#") {
		_, request, _ = strings.Cut(request, "\n")
	}
	request = strings.NewReplacer("\n", "\r\n", "{{host}}", host, "{{token}}", token).Replace(strings.TrimSuffix(request, "\n"))
	if strings.Contains(request, "{{") {
		t.Fatalf("%s has a placeholder that is not known", name)
	}
	return request
}

// dialRaw connects to the hub for no longer than the test's patience.
func dialRaw(t *testing.T, hub *hubtest.Process) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", host(t, hub))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(hubtest.Patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// sendRaw sends a publish as it is and returns the id in the answer. A client that wants to be told to
// go on is told so before it sends the body; one that wants the connection closed sees it closed.
func sendRaw(t *testing.T, hub *hubtest.Process, request string) string {
	t.Helper()
	c := dialRaw(t, hub)
	reader := bufio.NewReader(c)
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	write := func(text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatalf("sending the request: %v", err)
		}
	}
	write(head + "\r\n\r\n")
	if strings.Contains(head, "\r\nExpect: 100-continue") {
		if res, err := http.ReadResponse(reader, nil); err != nil || res.StatusCode != http.StatusContinue {
			t.Fatalf("the hub does not ask for the body: %v, %v", res, err)
		}
	}
	write(body)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	id, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/plain") {
		t.Fatalf("answer is %s, %s: %s", res.Status, kind, id)
	}
	if strings.Contains(head, "\r\nConnection: close") {
		if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is not closed after the answer: %v", err)
		}
	}
	return string(id)
}

// rawStream is a stream that was asked for with a request as it is.
type rawStream struct {
	header http.Header
	body   *bufio.Reader
}

func subscribeRaw(t *testing.T, hub *hubtest.Process, request string) *rawStream {
	t.Helper()
	c := dialRaw(t, hub)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatalf("sending the request: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("reading the head of the stream: %v", err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("answer is %s, %s: %s", res.Status, kind, text)
	}
	return &rawStream{header: res.Header, body: bufio.NewReader(res.Body)}
}

// next reads an event; comments are passed over.
func (s *rawStream) next(t *testing.T) event {
	t.Helper()
	e := event{}
	for {
		text, err := s.body.ReadString('\n')
		if err != nil {
			t.Fatal(fmt.Errorf("stream ended before its next event: %w", err))
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), ":")
		switch {
		case text == "\n" && len(e) > 0:
			return e
		case name != "":
			e[name] = append(e[name], strings.TrimPrefix(value, " "))
		}
	}
}
