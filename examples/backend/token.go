package backend

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// tokenLife is how long a token is good: its bearer gets another long before.
const tokenLife = 10 * time.Minute

// subscriberToken returns a token for the topics' private updates: a JWT (RFC 7519) with the claim "mercure" of the protocol's
// 0.x, which hubd and other hubs accept.
func subscriberToken(key []byte, now time.Time, topics ...string) (string, error) {
	return sign(key, map[string]any{
		"iat":     now.Unix(),
		"exp":     now.Add(tokenLife).Unix(),
		"mercure": map[string]any{"subscribe": topics},
	})
}

// publisherToken returns a token for one publish to any topic. It never leaves the backend.
func publisherToken(key []byte, now time.Time) (string, error) {
	return sign(key, map[string]any{
		"exp":     now.Add(time.Minute).Unix(),
		"mercure": map[string]any{"publish": []string{"*"}},
	})
}

// sign makes a JWT of the claims, signed with HS256 (RFC 7518, section 3.2).
func sign(key []byte, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode the claims of a token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil)), nil
}

// RandomID returns a text that nobody can guess.
func RandomID() string { return rand.Text() }
