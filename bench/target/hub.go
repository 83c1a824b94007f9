package target

import (
	"fmt"
	"net/url"
	"strings"

	"hubd/auth"
	"hubd/bench/wire"
	"hubd/mercure"
)

// hub speaks the Mercure protocol.
type hub struct {
	host string
	path string
	// run sets the topics of this run apart from whatever else the hub has.
	run  string
	mint minter
	// shared is the token of streams that need no grants of their own.
	shared string
}

func newHub(host, path, run string, mint minter) (*hub, error) {
	shared, err := mint.subscriber(mercure.Wildcard, "bench-streams")
	if err != nil {
		return nil, err
	}
	return &hub{host: host, path: path, run: run, mint: mint, shared: shared}, nil
}

// topic returns the topic, or with other marks the pattern, of a group.
func (s *hub) topic(scheme Scheme, group, unique string) string {
	base := "https://bench.example/" + s.run
	switch scheme {
	case Patterns:
		return base + "/feeds/" + group + "/" + unique
	case Inboxes:
		return base + "/users/" + group + "/inbox"
	default:
		return base + "/topics/" + group
	}
}

// selector returns the name and the value of the parameter that asks for a group.
func (s *hub) selector(scheme Scheme, group string) (name, value string) {
	name, variable := "topic", "{any}"
	if s.mint.dialect == auth.V1 {
		name, variable = "match_urlpattern", ":any"
	}
	switch {
	case scheme == Inboxes:
		return name, s.topic(scheme, variable, "")
	case scheme == Patterns:
		return name, s.topic(scheme, group, variable)
	case s.mint.dialect == auth.V1:
		name = "match"
	}
	return name, s.topic(scheme, group, "")
}

func (s *hub) Subscribe(b []byte, sub Subscription) ([]byte, error) {
	group := string(wire.AppendNumber(nil, sub.Group))
	token := s.shared
	if sub.Scheme == Inboxes {
		var err error
		token, err = s.mint.subscriber(s.topic(sub.Scheme, group, ""), "bench-user-"+group)
		if err != nil {
			return nil, err
		}
	}
	name, value := s.selector(sub.Scheme, group)
	b = append(append(b, "GET "...), s.path...)
	b = append(append(append(append(b, '?'), name...), '='), url.QueryEscape(value)...)
	b = append(append(b, " HTTP/1.1\r\nAccept: text/event-stream\r\nHost: "...), s.host...)
	b = append(append(b, "\r\nAuthorization: Bearer "...), token...)
	if sub.Cursor != nil {
		b = append(append(b, "\r\nLast-Event-ID: "...), sub.Cursor...)
	}
	return append(b, "\r\n\r\n"...), nil
}

func (s *hub) Publish(scheme Scheme, size int) (*wire.Template, error) {
	token, err := s.mint.publisher()
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\n", s.path, s.host, token)
	body := "topic=" + s.topic(scheme, wire.GroupMark, wire.UniqueMark) + "&data=" + wire.DataMark
	if scheme == Inboxes {
		body += "&private=on"
	}
	return wire.NewTemplate(head, strings.ReplaceAll(body, "://", "%3A%2F%2F"), size), nil
}
