package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

type object = map[string]any

const (
	testIssuer   = "https://issuer.example"
	testAudience = "https://hub.example"
)

// forge signs whatever it is given with the hub's key, as no careful issuer would.
func forge(t *testing.T, header, claims object) string {
	t.Helper()
	segment := func(v object) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	input := segment(header) + "." + segment(claims)
	mac := hmac.New(sha256.New, []byte(hubtest.Secret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// access is the claims of a valid 1.0 token for everything, with changes; nil takes a claim away.
func access(change object) object {
	claims := object{
		"iss": testIssuer, "aud": testAudience, "sub": "s", "client_id": "c", "jti": "j",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"authorization_details": []any{detail("publish", "subscribe")},
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func detail(actions ...string) object {
	return object{"type": "https://mercure.rocks/authorization-detail", "actions": actions, "topics": []any{object{"match": "*"}}}
}

func accessType() object { return object{"alg": "HS256", "typ": "at+jwt"} }

// ask sends a request whose headers may repeat.
func ask(t *testing.T, method, address, body string, header http.Header) hubtest.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", formType)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return hubtest.Answer{Status: res.StatusCode, Header: res.Header, Body: string(text)}
}

func conforming(t *testing.T, args ...string) *hubtest.Process {
	t.Helper()
	args = append([]string{"--store=memory://", "--anonymous", "--drain=0s", "--issuer=" + testIssuer, "--audience=" + testAudience}, args...)
	return hubtest.Start(t, t.TempDir(), args...)
}

// challengeOf is the WWW-Authenticate that the hub sends with an error code, or without one.
func challengeOf(p *hubtest.Process, code string) string {
	base := strings.TrimSuffix(p.URL, "/.well-known/mercure")
	value := `Bearer resource_metadata="` + base + `/.well-known/oauth-protected-resource/.well-known/mercure"`
	if code != "" {
		value += `, error="` + code + `"`
	}
	return value
}

// "Error Responses", "Presenting the Access Token" and 0.x "Authorization": which credential counts and
// what each failure is answered. The hub serves anonymous subscribers, so that a token that fails is
// seen to be refused instead of ignored.
func TestCredentials(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	classic := hubtest.Token(t, []string{"*"}, []string{"*"})
	oneZero := forge(t, accessType(), access(nil))
	expired := forge(t, object{"alg": "HS256"}, object{"exp": time.Now().Add(-time.Minute).Unix(), "mercure": object{"publish": []string{"*"}, "subscribe": []string{"*"}}})
	bearer := func(tokens ...string) http.Header {
		h := http.Header{}
		for _, token := range tokens {
			h.Add("Authorization", "Bearer "+token)
		}
		return h
	}
	cookie := func(h http.Header, name, token string) http.Header {
		h.Set("Cookie", name+"="+token)
		h.Set("Origin", strings.TrimSuffix(p.URL, "/.well-known/mercure"))
		return h
	}
	for _, test := range []struct {
		name, query string
		header      http.Header
		status      int
		code        string
	}{
		{"no token", "", nil, 401, ""},
		{"a 1.0 token in the header", "", bearer(oneZero), 200, ""},
		{"a 0.x token in the header", "", bearer(classic), 200, ""},
		{"the scheme in another case", "", http.Header{"Authorization": {"bEARER " + classic}}, 200, ""},
		{"not a token", "", bearer("x.y.z"), 401, "invalid_token"},
		{"an expired token", "", bearer(expired), 401, "invalid_token"},
		{"another scheme", "", http.Header{"Authorization": {"Basic eDp5"}}, 400, "invalid_request"},
		{"a scheme without a token", "", http.Header{"Authorization": {"Bearer"}}, 400, "invalid_request"},
		{"two headers", "", bearer(classic, classic), 400, "invalid_request"},
		{"two headers, the first valid", "", bearer(oneZero, "x.y.z"), 400, "invalid_request"},
		{"cookie of 1.0", "", cookie(http.Header{}, "__Secure-mercure_access_token", oneZero), 200, ""},
		{"cookie of 0.x", "", cookie(http.Header{}, "mercureAuthorization", classic), 200, ""},
		{"an expired cookie", "", cookie(http.Header{}, "mercureAuthorization", expired), 401, "invalid_token"},
		{"the header beats the cookie", "", cookie(bearer(classic), "mercureAuthorization", "x.y.z"), 200, ""},
		{"a valid cookie does not rescue an invalid header", "", cookie(bearer("x.y.z"), "mercureAuthorization", classic), 401, "invalid_token"},
		{"nor a malformed one", "", cookie(http.Header{"Authorization": {"Basic eDp5"}}, "mercureAuthorization", classic), 400, "invalid_request"},
		{"0.x token in the query", "authorization=" + classic, nil, 200, ""},
		{"1.0 token in the query", "authorization=" + oneZero, nil, 401, "invalid_token"},
		{"access_token in the query is no token", "access_token=" + oneZero, nil, 401, ""},
		{"the header beats the query", "authorization=x.y.z", bearer(classic), 200, ""},
		{"a valid query does not rescue an invalid header", "authorization=" + classic, bearer("x.y.z"), 401, "invalid_token"},
		{"the query beats the cookie", "authorization=x.y.z", cookie(http.Header{}, "mercureAuthorization", classic), 401, "invalid_token"},
		{"the query beats an invalid cookie", "authorization=" + classic, cookie(http.Header{}, "mercureAuthorization", "x.y.z"), 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := ""
			if test.status != http.StatusOK {
				want = challengeOf(p, test.code)
			}
			a := ask(t, http.MethodPost, p.URL+"?"+test.query, "topic=t", test.header)
			if got := a.Header.Get("WWW-Authenticate"); a.Status != test.status || got != want {
				t.Errorf("publish: %d %q, want %d %q", a.Status, got, test.status, want)
			}
			if test.status == http.StatusOK || want == challengeOf(p, "") {
				return // a stream would open
			}
			a = ask(t, http.MethodGet, p.URL+"?match=t&"+test.query, "", test.header)
			if got := a.Header.Get("WWW-Authenticate"); a.Status != test.status || got != want {
				t.Errorf("subscribe: %d %q, want %d %q", a.Status, got, test.status, want)
			}
		})
	}
}

// 0.x "URI Query Parameter", and 1.0, which takes no token from there.
func TestTokenInTheURL(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	classic := hubtest.Token(t, []string{"*"}, []string{"*"})
	// What is answered to a URL with a token is for one client alone.
	a := ask(t, http.MethodPost, p.URL+"?authorization="+classic, "topic=t", nil)
	s := p.Subscribe(t, "topic=t&authorization="+classic)
	for what, h := range map[string]http.Header{"publish": a.Header, "stream": s.Header} {
		if got := h.Get("Cache-Control"); !strings.Contains(got, "private") {
			t.Errorf("%s: Cache-Control is %q", what, got)
		}
	}
	// A 1.0 token that 1.0 does not take from the URL opens no private update either.
	anonymous := p.Subscribe(t, "match=t&access_token="+forge(t, accessType(), access(nil)))
	p.Publish(t, url.Values{"topic": {"t"}, "data": {"secret"}, "private": {"on"}})
	p.PublishData(t, "t", "public")
	anonymous.Expect(t, "public")
	s.Expect(t, "secret", "public")
}

// "Token Validation", "Authorization Details" and "Topic Matcher List" as a client sees them: every token
// that fails is answered alike, so the answer does not tell why.
func TestTokensOverHTTP(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	now := time.Now().Unix()
	bodies := make(chan string, 64)
	t.Run("group", func(t *testing.T) {
		for _, test := range []struct {
			name   string
			header object
			claims object
			valid  bool
		}{
			{"audience as a string", accessType(), access(nil), true},
			{"audience in an array", accessType(), access(object{"aud": []string{"https://other.example", testAudience}}), true},
			{"type in full and another case", object{"alg": "HS256", "typ": "Application/AT+JWT"}, access(nil), true},
			{"an action unknown beside known ones", accessType(), access(object{"authorization_details": []any{detail("moderate", "publish")}}), true},
			{"details of another type", accessType(), access(object{"authorization_details": []any{object{"type": "payment"}, detail("publish")}}), true},
			{"another audience", accessType(), access(object{"aud": "https://other.example"}), false},
			{"no audience", accessType(), access(object{"aud": nil}), false},
			{"another issuer", accessType(), access(object{"iss": "https://other.example"}), false},
			{"no issuer", accessType(), access(object{"iss": nil}), false},
			{"no expiry", accessType(), access(object{"exp": nil}), false},
			{"expired", accessType(), access(object{"exp": now - 1}), false},
			{"not yet valid", accessType(), access(object{"nbf": now + 3600}), false},
			{"type of an ID token", object{"alg": "HS256", "typ": "JWT"}, access(nil), false},
			{"no type", object{"alg": "HS256"}, access(nil), false},
			{"algorithm none", object{"alg": "none", "typ": "at+jwt"}, access(nil), false},
			{"algorithm not of the key", object{"alg": "HS512", "typ": "at+jwt"}, access(nil), false},
			{"one sound detail, one defective", accessType(), access(object{"authorization_details": []any{detail("publish"), object{"type": "https://mercure.rocks/authorization-detail"}}}), false},
			{"an action that is no string", accessType(), access(object{"authorization_details": []any{object{
				"type": "https://mercure.rocks/authorization-detail", "actions": []any{"publish", 1}, "topics": []any{object{"match": "*"}},
			}}}), false},
			{"a matcher type unknown", accessType(), access(object{"authorization_details": []any{object{
				"type": "https://mercure.rocks/authorization-detail", "actions": []string{"publish"}, "topics": []any{object{"match": "*"}, object{"match": "a", "match_type": "regexp"}},
			}}}), false},
			{"classic claim in an access token that fails", accessType(), access(object{"aud": nil, "mercure": object{"publish": []string{"*"}}}), false},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				a := ask(t, http.MethodPost, p.URL, "topic=t", http.Header{"Authorization": {"Bearer " + forge(t, test.header, test.claims)}})
				switch {
				case test.valid && a.Status != http.StatusOK:
					t.Errorf("answer is %d %s", a.Status, a.Body)
				case !test.valid && (a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != challengeOf(p, "invalid_token")):
					t.Errorf("answer is %d %v", a.Status, a.Header)
				}
				if !test.valid {
					bodies <- a.Body
				}
			})
		}
	})
	close(bodies)
	first := <-bodies
	for body := range bodies {
		if body != first {
			t.Errorf("answers differ: %q and %q", first, body)
		}
	}
}

// A hub of one version knows nothing of the other.
func TestOneVersionAlone(t *testing.T) {
	t.Parallel()
	oneZero, classic := forge(t, accessType(), access(nil)), hubtest.Token(t, []string{"*"}, []string{"*"})
	for _, test := range []struct{ version, accepted, refused, matcher, foreign, cookie string }{
		{"1.0", oneZero, classic, "match=t", "topic=t", "__Secure-mercure_access_token"},
		{"0.x", classic, oneZero, "topic=t", "match=t", "mercureAuthorization"},
	} {
		t.Run(test.version, func(t *testing.T) {
			t.Parallel()
			p := conforming(t, "--protocol="+test.version)
			publish := func(query string, header http.Header) int {
				return ask(t, http.MethodPost, p.URL+query, "topic=t", header).Status
			}
			if status := publish("", http.Header{"Authorization": {"Bearer " + test.accepted}}); status != http.StatusOK {
				t.Errorf("its own token: %d", status)
			}
			if status := publish("", http.Header{"Authorization": {"Bearer " + test.refused}}); status != http.StatusUnauthorized {
				t.Errorf("the other version's token: %d", status)
			}
			if status, want := publish("?authorization="+test.accepted, nil), map[string]int{"1.0": 401, "0.x": 200}[test.version]; status != want {
				t.Errorf("token in the query: %d, want %d", status, want)
			}
			if a := ask(t, http.MethodGet, p.URL+"?"+test.foreign, "", nil); a.Status != http.StatusBadRequest {
				t.Errorf("the other version's matcher alone: %d", a.Status)
			}
			s := p.Subscribe(t, test.matcher, "Cookie", test.cookie+"="+test.accepted)
			header := http.Header{"Authorization": {"Bearer " + test.accepted}}
			if a := ask(t, http.MethodPost, p.URL, "topic=t&data=secret&private", header); a.Status != http.StatusOK {
				t.Errorf("publish: %d", a.Status)
			}
			s.Expect(t, "secret")
		})
	}
}

// "Publishers" of both versions: every topic has to be granted, or nothing is dispatched.
func TestPublishersWithoutTheScope(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	s := p.Subscribe(t, "topic=*")
	grant := func(actions []string, topics ...any) string {
		return forge(t, accessType(), access(object{"authorization_details": []any{object{
			"type": "https://mercure.rocks/authorization-detail", "actions": actions, "topics": topics,
		}}}))
	}
	claim := func(mercure any) string { return forge(t, object{"alg": "HS256"}, object{"mercure": mercure}) }
	for name, token := range map[string]string{
		"1.0: one topic of two":      grant([]string{"publish"}, object{"match": "a"}),
		"1.0: the action subscribe":  grant([]string{"subscribe"}, object{"match": "*"}),
		"1.0: an unknown action":     grant([]string{"moderate"}, object{"match": "*"}),
		"1.0: no details":            forge(t, accessType(), access(object{"authorization_details": nil})),
		"0.x: one topic of two":      claim(object{"publish": []string{"a"}}),
		"0.x: publish not defined":   claim(object{"subscribe": []string{"*"}}),
		"0.x: publish empty":         claim(object{"publish": []string{}}),
		"0.x: a template of another": claim(object{"publish": []string{"a", "b/{id}"}}),
	} {
		a := ask(t, http.MethodPost, p.URL, "topic=a&topic=b&data=forbidden", http.Header{"Authorization": {"Bearer " + token}})
		if a.Status != http.StatusForbidden || a.Header.Get("WWW-Authenticate") != challengeOf(p, "insufficient_scope") {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
	}
	// 0.x has a claim or it is no token of the protocol.
	a := ask(t, http.MethodPost, p.URL, "topic=a", http.Header{"Authorization": {"Bearer " + forge(t, object{"alg": "HS256"}, object{"sub": "x"})}})
	if a.Status != http.StatusUnauthorized {
		t.Errorf("without the claim: %d", a.Status)
	}
	p.PublishData(t, "b", "allowed")
	s.Expect(t, "allowed")
}

// "Subscribers" of both versions: the stream ends when the token does.
func TestStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	p := conforming(t, "--write-timeout=0s", "--heartbeat=0s")
	expires := time.Now().Add(5 * time.Second)
	all := []mercure.Matcher{{Pattern: "*"}}
	var streams []*hubtest.Stream
	for _, o := range []auth.MintOptions{
		{Dialect: auth.V1, Issuer: testIssuer, Audience: testAudience, Issued: time.Now(), Expires: expires, Subscribe: all},
		{Dialect: auth.V0, Expires: expires, Subscribe: all},
	} {
		token := hubtest.Mint(t, o)
		streams = append(streams, p.Subscribe(t, "match=t", "Authorization", "Bearer "+token), p.Subscribe(t, "topic=t", "Cookie", "mercureAuthorization="+token))
	}
	p.Publish(t, url.Values{"topic": {"t"}, "data": {"in time"}, "private": {"on"}})
	for _, s := range streams {
		s.Expect(t, "in time")
	}
	for _, s := range streams {
		if rest := s.AwaitEnd(t); len(rest) != 0 {
			t.Errorf("an ending stream said %v", rest)
		}
	}
	p.AwaitMetric(t, `hubd_disconnects_total{reason="token_expired"}`, "4")
}
