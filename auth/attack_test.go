package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// "kid" is a name to compare, in a set as with a single key: it is no path, no address and no query, and what it
// names never becomes a key.
func TestKeyIDIsOnlyAName(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := newES(t)
	k := newKeeper(t, jwk(t, key, "1"))
	set, _ := setVerifier(t, k.URL, func(*Options) {})
	single := newVerifier(t, newSecret(t), nil)
	fetches := k.fetches.Load()
	for _, id := range []string{
		"/dev/null", "../../../../dev/null", empty, "file://" + empty, k.URL, "1\x00", "1 OR 1=1", "' UNION SELECT '", "%31", " 1", "1,", strings.Repeat("1", 4096),
	} {
		// Signed with what a reader of such a file, or of nothing, would take for the key.
		for _, secret := range []string{"", "\x00", id} {
			text := segment(t, object{"typ": "at+jwt", "alg": "HS256", "kid": id}) + "." + segment(t, accessClaims())
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(text))
			forged := text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
			refused(t, set, RolePublisher, forged, `"alg"`)
			refused(t, single, RolePublisher, forged, "signature")
		}
	}
	if n := k.fetches.Load(); n != fetches {
		t.Errorf("the tokens made the hub fetch %d times", n-fetches)
	}
}

// Of members with one name the last counts, in the header as in the claims (RFC 7515, section 4): a token is never
// judged by one and trusted for another.
func TestLastOfEqualHeaderMembersCounts(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for header, why := range map[string]string{
		`{"typ":"at+jwt","alg":"HS256","alg":"none"}`:                    `"alg"`,
		`{"typ":"at+jwt","alg":"HS256","\u0061lg":"none"}`:               `"alg"`,
		`{"typ":"at+jwt","typ":"JWT","alg":"HS256"}`:                     `"mercure" claim`,
		`{"typ":"at+jwt","alg":"HS256","crit":["x"],"x":1,"crit":["y"]}`: `"crit"`,
	} {
		refused(t, v, RolePublisher, sign(t, key, header, accessClaims()), why)
	}
	accepted(t, v, RolePublisher, sign(t, key, `{"alg":"none","typ":"JWT","typ":"at+jwt","alg":"HS256"}`, accessClaims()))
	refused(t, v, RolePublisher, sign(t, key, accessHeader(key),
		`{"iss":"`+testIssuer+`","aud":"`+testAudience+`","exp":99999999999,"exp":1,"authorization_details":[]}`), "expired")
}

// What is secret is compared in constant time, which no test can measure reliably: the source must not compare
// bytes in any other way. HMACs are compared by crypto/hmac, in the library.
func TestComparisonsTakeConstantTime(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constant := false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			switch call := from.Name + "." + selector.Sel.Name; call {
			case "subtle.ConstantTimeCompare":
				constant = constant || name == "memo.go"
			case "bytes.Equal", "bytes.Compare", "bytes.EqualFold", "reflect.DeepEqual":
				t.Errorf("%s: %s ends at the first difference", name, call)
			}
			return true
		})
	}
	if !constant {
		t.Error("memo.go does not compare the header, which is a token, in constant time")
	}
}
