package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
)

func mintOptions(key Key, dialect Protocol) MintOptions {
	o := MintOptions{
		Dialect: dialect, Key: key, Issuer: testIssuer, Audience: testAudience,
		Publish:   []mercure.Matcher{{Pattern: book1}},
		Subscribe: []mercure.Matcher{{Pattern: book2}, {Type: mercure.URLPattern, Pattern: "https://example.com/users/:id"}},
		Payload:   json.RawMessage(`{"n": 1}`),
		Issued:    epoch(), Expires: epoch().Add(time.Hour),
	}
	if dialect == V0 {
		o.Publish = append(o.Publish, mercure.Matcher{Type: mercure.Template, Pattern: "https://example.com/{a}"})
	}
	return o
}

// decode returns a segment of a token as a JSON object.
func decode(t *testing.T, token string, segment int) object {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[segment])
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMintedTokensAreAccepted(t *testing.T) {
	t.Parallel()
	rsaPrivate, rsaPublic := newPair(t, "RS256")
	for _, algorithm := range Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			private, public := rsaPrivate, rsaPublic
			switch algorithm[:2] {
			case "HS":
				private = newSecret(t)
				public = private
			case "ES", "Ed":
				private, public = newPair(t, algorithm)
			}
			private.Algorithm, public.Algorithm = algorithm, algorithm
			for _, dialect := range []Protocol{V1, V0} {
				token, err := Mint(mintOptions(private, dialect))
				if err != nil {
					t.Fatal(err)
				}
				v := newVerifier(t, public, func(o *Options) { o.Protocol = dialect })
				grant := accepted(t, v, RolePublisher, token)
				if grant.Dialect != dialect || !grant.Expires.Equal(epoch().Add(time.Hour)) || grant.Issuer != testIssuer {
					t.Errorf("got %+v", grant)
				}
				grants(t, "publish", grant.Publish, book1, true)
				grants(t, "publish", grant.Publish, book2, false)
				grants(t, "subscribe", grant.Subscribe, book1, false)
				grants(t, "subscribe", grant.Subscribe, book2, true)
				grants(t, "subscribe", grant.Subscribe, "https://example.com/users/7", true)
				grants(t, "publish", grant.Publish, "https://example.com/x", dialect == V0)
				if got := string(grant.Payload(mercure.Matcher{Pattern: book2})); got != `{"n":1}` {
					t.Errorf("payload %s", got)
				}
			}
		})
	}
}

// "Authorization": every 1.0 token, a self-issued one too, carries what RFC 9068, section 2.2, requires.
func TestMintedAccessTokenCarriesTheRequiredClaims(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	o := mintOptions(key, V1)
	token, err := Mint(o)
	if err != nil {
		t.Fatal(err)
	}
	if header := decode(t, token, 0); header["typ"] != "at+jwt" || header["alg"] != "HS256" {
		t.Errorf("header %v", header)
	}
	claims := decode(t, token, 1)
	required := object{
		"iss": testIssuer, "aud": testAudience, "client_id": testIssuer,
		"iat": float64(epoch().Unix()), "exp": float64(epoch().Add(time.Hour).Unix()),
	}
	for name, want := range required {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	urn := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, name := range []string{"sub", "jti"} {
		if text, _ := claims[name].(string); !urn.MatchString(text) {
			t.Errorf("%s is %v, want a UUID URN", name, claims[name])
		}
	}
	again, err := Mint(o)
	if err != nil {
		t.Fatal(err)
	}
	if other := decode(t, again, 1); other["jti"] == claims["jti"] || other["sub"] == claims["sub"] {
		t.Error("two tokens have one identity")
	}

	o.Subject, o.ClientID, o.ID = "alice", "app", "1"
	if token, err = Mint(o); err != nil {
		t.Fatal(err)
	}
	if claims = decode(t, token, 1); claims["sub"] != "alice" || claims["client_id"] != "app" || claims["jti"] != "1" {
		t.Errorf("claims %v", claims)
	}
}

func TestMintedClassicTokenCarriesWhatIsAsked(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	token, err := Mint(MintOptions{Dialect: V0, Key: key, Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: "*"}}})
	if err != nil {
		t.Fatal(err)
	}
	if header := decode(t, token, 0); header["typ"] != "JWT" {
		t.Errorf("header %v", header)
	}
	claims, err := json.Marshal(decode(t, token, 1))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"mercure":{"publish":["*"]}}`; string(claims) != want {
		t.Errorf("claims %s, want %s", claims, want)
	}
	grant := accepted(t, newVerifier(t, key, nil), RolePublisher, token)
	if !grant.Expires.IsZero() || grant.Subscribe != nil {
		t.Errorf("got %+v", grant)
	}
}

func TestMintRefusesWhatNoHubWouldAccept(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	_, public := newPair(t, "ES256")
	for name, c := range map[string]struct {
		dialect Protocol
		change  func(*MintOptions)
		why     string
	}{
		"no dialect":             {Both, func(*MintOptions) {}, "dialect"},
		"no issuer":              {V1, func(o *MintOptions) { o.Issuer = "" }, "issuer"},
		"no audience":            {V1, func(o *MintOptions) { o.Audience = "" }, "audience"},
		"no expiry":              {V1, func(o *MintOptions) { o.Expires = time.Time{} }, "expiry"},
		"no time of issue":       {V1, func(o *MintOptions) { o.Issued = time.Time{} }, "time of issue"},
		"a template in 1.0":      {V1, func(o *MintOptions) { o.Publish[0].Type = mercure.Template }, "no URI templates"},
		"an empty selector":      {V0, func(o *MintOptions) { o.Subscribe[0].Pattern = "" }, "empty"},
		"a control character":    {V1, func(o *MintOptions) { o.Subscribe[0].Pattern = "a\n" }, "control character"},
		"a payload of no JSON":   {V0, func(o *MintOptions) { o.Payload = json.RawMessage(`{`) }, "not JSON"},
		"a payload of no object": {V1, func(o *MintOptions) { o.Payload = json.RawMessage(`"x"`) }, "payload"},
		"a payload for nothing":  {V1, func(o *MintOptions) { o.Subscribe = nil }, "payload"},
		"no key":                 {V1, func(o *MintOptions) { o.Key = Key{} }, "empty"},
		"a public key":           {V1, func(o *MintOptions) { o.Key = public }, "private key"},
		"a key of another kind":  {V1, func(o *MintOptions) { o.Key.Algorithm = "ES256" }, "PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := mintOptions(key, c.dialect)
			c.change(&o)
			token, err := Mint(o)
			if token != "" || !errors.Is(err, ErrMint) && !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %q, %v, want an error with %q", token, err, c.why)
			}
		})
	}
}
