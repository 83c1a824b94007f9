package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"hubd/auth"
	"hubd/mercure"
)

const (
	// bufferBytes is the most that is published to make a proxy let go of what it holds back; those known hold back
	// less by default.
	bufferBytes = 256 << 10
	// bufferPiece is the size of one update of these.
	bufferPiece = 16 << 10
	// maxStream bounds what is read of one stream, and maxAnswer of any other answer.
	maxStream = 8 << 20
	maxAnswer = 1 << 20
)

// tokenLife is how long a token lives that is made here: long enough for clocks that are some minutes apart.
const tokenLife = time.Hour

// examination is one run of Examine.
type examination struct {
	o      Options
	base   *url.URL
	client *http.Client
	report *Report
	topic  string
	// publisher and subscriber are the tokens of the two sides; empty is none.
	publisher, subscriber string

	// mu guards the offset of the newest answer that had a date: how far the server's clock was ahead.
	mu     sync.Mutex
	offset *time.Duration
}

// Examine examines the hub and returns what it found. The error is about the options, or that ctx has ended.
func Examine(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	x, err := newExamination(o.complete())
	if err != nil {
		return nil, err
	}
	defer x.client.CloseIdleConnections()
	if x.reach(ctx) {
		x.discovery(ctx)
		x.dialects(ctx)
		x.cors(ctx)
		x.cookies(ctx)
		x.exposure(ctx)
		s := x.delivery(ctx)
		x.clock(ctx)
		x.limits(ctx)
		x.heartbeat(ctx, s)
	}
	return x.report, ctx.Err()
}

// Quick asks only whether the hub can serve, by its health page: what a container's health check needs.
func Quick(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	x, err := newExamination(o.complete())
	if err != nil {
		return nil, err
	}
	defer x.client.CloseIdleConnections()
	x.reach(ctx)
	return x.report, ctx.Err()
}

func newExamination(o Options) (*examination, error) {
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: url: %w", ErrOptions, err)
	}
	x := &examination{o: o, base: base, report: &Report{URL: o.URL}, topic: o.Topic}
	if x.topic == "" {
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("make a topic: %w", err)
		}
		x.topic = "urn:hubd:doctor:" + hex.EncodeToString(id)
	}
	x.client = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
			// What a proxy compresses has to be seen.
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if x.publisher, err = x.token(o.Publisher, auth.MintOptions{Publish: x.matchers()}, tokenLife); err != nil {
		return nil, err
	}
	if x.subscriber, err = x.token(o.Subscriber, auth.MintOptions{Subscribe: x.matchers()}, tokenLife); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *examination) matchers() []mercure.Matcher {
	m := mercure.Matcher{Type: mercure.Template, Pattern: x.topic}
	if x.o.Issuer != "" {
		m.Type = mercure.Exact // 1.0 has no templates
	}
	return []mercure.Matcher{m}
}

// token returns the token of a side, made now if there is a key: it expires after life. Empty is none.
func (x *examination) token(c Credential, m auth.MintOptions, life time.Duration) (string, error) {
	if c.Token != "" || c.absent() {
		return c.Token, nil
	}
	now := x.o.Now()
	m.Key, m.Expires = c.Key, now.Add(life)
	// Before any time at which it could expire.
	m.Issued = now.Add(-tokenLife)
	m.Dialect = auth.V0
	if x.o.Issuer != "" {
		m.Dialect, m.Issuer, m.Audience = auth.V1, x.o.Issuer, x.o.Audience
	}
	token, err := auth.Mint(m)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return token, nil
}

func (x *examination) add(check string, s Status, text, advice string) {
	x.report.Findings = append(x.report.Findings, Finding{check, s, text, advice})
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// ask sends a request and reads the answer. Headers are names and values in turn.
func (x *examination) ask(ctx context.Context, method, address, body string, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, x.o.Patience)
	defer cancel()
	req, err := request(ctx, method, address, body, headers)
	if err != nil {
		return nil, err
	}
	res, err := x.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	x.noteDate(res)
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", address, err)
	}
	return &answer{res, string(text)}, nil
}

// head sends a request whose answer may be a stream, and reads no further than its head.
func (x *examination) head(ctx context.Context, method, address string, headers ...string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, x.o.Patience)
	defer cancel()
	req, err := request(ctx, method, address, "", headers)
	if err != nil {
		return nil, err
	}
	res, err := x.client.Do(req)
	if err != nil {
		return nil, err
	}
	x.noteDate(res)
	return res, res.Body.Close()
}

func request(ctx context.Context, method, address, body string, headers []string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return req, nil
}

// beside returns the URL of a path on the hub's host.
func (x *examination) beside(path string) string {
	u := *x.base
	u.Path, u.RawPath = path, ""
	return u.String()
}

// subscription returns the URL of a stream of the topic: in the words of both versions, as a hub ignores those of
// the one that it does not speak.
func (x *examination) subscription(parameters ...string) string {
	if len(parameters) == 0 {
		parameters = []string{"topic", "match"}
	}
	query := make(url.Values)
	for _, p := range parameters {
		query.Set(p, x.topic)
	}
	return x.o.URL + "?" + query.Encode()
}

// bearer returns the value of an Authorization header, nothing without a token.
func bearer(token string) string {
	if token == "" {
		return ""
	}
	return "Bearer " + token
}

// firstLine is what an error page says, in a form that fits into a line.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if len(line) > 120 {
		line = line[:120] + "…"
	}
	return line
}

// reason is why a request failed, without its address, which the report has.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}
