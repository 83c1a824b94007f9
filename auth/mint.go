package auth

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubd/mercure"

	"github.com/golang-jwt/jwt/v5"
)

// ErrMint is wrapped by the error of Mint about options that make no valid token.
var ErrMint = errors.New("cannot mint the token")

// MintOptions say what a minted token carries.
type MintOptions struct {
	// Dialect is V1 or V0.
	Dialect Protocol
	// Key signs the token: an HMAC secret or the PEM text of a private key.
	Key Key
	// Publish and Subscribe are the selectors of what the bearer may publish and receive. Matchers
	// of type Template are for 0.x only, where the other types become objects in the list.
	Publish, Subscribe []mercure.Matcher
	// Revoke are the selectors of what the bearer may revoke.
	Revoke []mercure.Matcher
	// Payload is attached to the subscriptions: a JSON object, in 0.x any JSON document.
	Payload json.RawMessage
	// Issuer and Audience are "iss" and "aud", which 1.0 requires.
	Issuer, Audience string
	// Subject, ClientID and ID are "sub", "client_id" and "jti". A 1.0 token has to carry them
	// ("Authorization"): an empty Subject or ID becomes a random UUID URN, an empty ClientID the
	// issuer. In 0.x they are left out when empty.
	Subject, ClientID, ID string
	// Issued is "iat", normally the present time.
	Issued time.Time
	// Expires is "exp", in whole seconds. The zero time makes a token that does not expire, which
	// only 0.x has.
	Expires time.Time
}

// Validate reports what keeps the options from making a token that a hub accepts, as far as that can
// be told without reading the selectors' patterns. Errors wrap ErrMint.
func (o *MintOptions) Validate() error {
	switch {
	case o.Dialect != V1 && o.Dialect != V0:
		return fmt.Errorf("%w: the dialect is neither 1.0 nor 0.x", ErrMint)
	case o.Payload != nil && !json.Valid(o.Payload):
		return fmt.Errorf("%w: the payload is not JSON", ErrMint)
	}
	for _, m := range slices.Concat(o.Publish, o.Subscribe, o.Revoke) {
		if m.Pattern == "" {
			return fmt.Errorf("%w: a selector is empty", ErrMint)
		}
		if err := mercure.CheckText(m.Pattern); err != nil {
			return fmt.Errorf("%w: selector %q: %w", ErrMint, m.Pattern, err)
		}
		if o.Dialect == V1 && m.Type == mercure.Template {
			return fmt.Errorf("%w: selector %q: 1.0 has no URI templates", ErrMint, m.Pattern)
		}
	}
	if o.Dialect == V1 {
		return o.validateAccess()
	}
	return nil
}

func (o *MintOptions) validateAccess() error {
	switch {
	case o.Issuer == "":
		return fmt.Errorf("%w: a 1.0 token needs an issuer", ErrMint)
	case o.Audience == "":
		return fmt.Errorf("%w: a 1.0 token needs an audience", ErrMint)
	case o.Expires.IsZero():
		return fmt.Errorf("%w: a 1.0 token needs an expiry", ErrMint)
	case o.Issued.IsZero():
		return fmt.Errorf("%w: a 1.0 token needs the time of issue", ErrMint)
	}
	if o.Payload == nil {
		return nil
	}
	if _, err := readObject(o.Payload); err != nil {
		return fmt.Errorf("%w: the payload of a 1.0 token: %w", ErrMint, err)
	}
	if len(o.Subscribe) == 0 {
		return fmt.Errorf("%w: the payload of a 1.0 token belongs to what it may subscribe to, which is nothing", ErrMint)
	}
	return nil
}

// Mint makes a token and signs it. Errors wrap ErrMint or ErrKey and never hold the key.
func Mint(o MintOptions) (string, error) {
	if err := o.Validate(); err != nil {
		return "", err
	}
	method, key, err := o.Key.signing()
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, o.claims())
	if o.Dialect == V1 {
		token.Header["typ"] = accessTokenType
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("%w: signing: %w", ErrMint, err)
	}
	return signed, nil
}

func (o *MintOptions) claims() jwt.MapClaims {
	claims := jwt.MapClaims{}
	subject, client, id := o.Subject, o.ClientID, o.ID
	if o.Dialect == V1 {
		subject, client, id = cmp.Or(subject, randomURN()), cmp.Or(client, o.Issuer), cmp.Or(id, randomURN())
		if details := o.details(); len(details) > 0 {
			claims["authorization_details"] = details
		}
	} else {
		claims["mercure"] = o.mercureClaim()
	}
	for name, value := range map[string]string{
		"iss": o.Issuer, "aud": o.Audience, "sub": subject, "client_id": client, "jti": id,
	} {
		if value != "" {
			claims[name] = value
		}
	}
	for name, date := range map[string]time.Time{"iat": o.Issued, "exp": o.Expires} {
		if !date.IsZero() {
			claims[name] = date.Unix()
		}
	}
	return claims
}

// mintedDetail is a Mercure authorization detail as it is written.
type mintedDetail struct {
	Type    string          `json:"type"`
	Actions []string        `json:"actions"`
	Topics  []mintedMatcher `json:"topics"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

type mintedMatcher struct {
	Match string `json:"match"`
	Type  string `json:"match_type"`
}

func (o *MintOptions) details() []mintedDetail {
	var details []mintedDetail
	if len(o.Publish) > 0 {
		details = append(details, mintedDetail{Type: detailType, Actions: []string{actionPublish}, Topics: mintMatchers(o.Publish)})
	}
	if len(o.Subscribe) > 0 {
		details = append(details, mintedDetail{
			Type: detailType, Actions: []string{actionSubscribe}, Topics: mintMatchers(o.Subscribe), Payload: o.Payload,
		})
	}
	if len(o.Revoke) > 0 {
		details = append(details, mintedDetail{Type: detailType, Actions: []string{actionRevoke}, Topics: mintMatchers(o.Revoke)})
	}
	return details
}

func mintMatchers(selectors []mercure.Matcher) []mintedMatcher {
	minted := make([]mintedMatcher, len(selectors))
	for i, m := range selectors {
		minted[i] = mintMatcher(m)
	}
	return minted
}

func mintMatcher(m mercure.Matcher) mintedMatcher {
	return mintedMatcher{Match: m.Pattern, Type: m.Type.String()}
}

// mercureClaim returns the claim of 0.x, where a template is a mere string.
func (o *MintOptions) mercureClaim() map[string]any {
	claim := map[string]any{}
	for name, selectors := range map[string][]mercure.Matcher{"publish": o.Publish, "subscribe": o.Subscribe, "revoke": o.Revoke} {
		if len(selectors) == 0 {
			continue
		}
		list := make([]any, len(selectors))
		for i, m := range selectors {
			if m.Type == mercure.Template {
				list[i] = m.Pattern
			} else {
				list[i] = mintMatcher(m)
			}
		}
		claim[name] = list
	}
	if o.Payload != nil {
		claim["payload"] = o.Payload
	}
	return claim
}

// randomURN returns a random UUID as a URN (RFC 9562, sections 4 and 5.4).
func randomURN() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
