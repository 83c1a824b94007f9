package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// upload is a publish whose body the test sends as it likes.
type upload struct {
	body   *io.PipeWriter
	answer chan *http.Response
}

func (h *secureHub) upload(t *testing.T, first string) *upload {
	t.Helper()
	reader, writer := io.Pipe()
	u := &upload{body: writer, answer: make(chan *http.Response, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.h2.URL, reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+hubtest.Token(t, []string{"*"}, nil))
	go func() {
		defer close(u.answer)
		if a, err := h.two.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, a.Body)
			_ = a.Body.Close()
			u.answer <- a
		}
	}()
	_, _ = io.WriteString(writer, first) // the answer may come before it is taken
	return u
}

// What one HTTP/2 connection may have the hub read at a time is bounded: a large body too many is refused, and may come
// again. I4 for bodies.
func TestInvariantI4LargeBodiesOverHTTP2(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	h.ask(t, h.two, http.MethodGet, "/healthz", "") // one connection for all
	var begun []*upload
	for range 8 {
		begun = append(begun, h.upload(t, "topic=large&data="))
	}
	refused := 0
	for range 4 {
		// It may come before one of those above is looked at, which then is the one too many.
		u := h.upload(t, "topic=large&data=")
		begun = append(begun, u)
	}
	for _, u := range begun {
		go func() {
			_, _ = io.WriteString(u.body, strings.Repeat("x", 64<<10))
			_ = u.body.Close()
		}()
	}
	stored := 0
	for _, u := range begun {
		a := <-u.answer
		switch {
		case a == nil:
			t.Error("a publish was not answered")
		case a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
			refused++
		case a.StatusCode == http.StatusOK:
			stored++
		default:
			t.Errorf("a publish is answered %d", a.StatusCode)
		}
	}
	if stored < 8 || refused == 0 {
		t.Errorf("%d stored and %d refused, want 8 and 4", stored, refused)
	}
	small, _ := h.ask(t, h.two, http.MethodPost, "/.well-known/mercure", "topic=small", "Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "Bearer "+hubtest.Token(t, []string{"*"}, nil))
	if small.StatusCode != http.StatusOK {
		t.Errorf("afterwards a publish is answered %d", small.StatusCode)
	}
}

// Whoever takes his time over a body or a handshake is ended, and streams are not.
func TestTLSSlowRequests(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	s := h.h2.Subscribe(t, "topic=*")
	silent, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	u := h.upload(t, "topic=slow")
	if a := <-u.answer; a == nil || a.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a body that does not come is answered %v", a)
	}
	_ = u.body.Close()
	if _, err := io.ReadAll(silent); err != nil {
		t.Errorf("a handshake that does not come ends with %v", err)
	}
	h.PublishData(t, topic, "still here")
	s.Expect(t, "still here")
}
