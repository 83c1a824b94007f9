package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keeper is an HTTP server that keeps a key set, and does with it what a test says.
type keeper struct {
	*httptest.Server
	fetches atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc
}

// newKeeper returns a keeper of the keys, which are JWKs.
func newKeeper(tb testing.TB, keys ...object) *keeper {
	tb.Helper()
	k := &keeper{}
	k.keep(tb, keys...)
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.fetches.Add(1)
		k.mu.Lock()
		answer := k.answer
		k.mu.Unlock()
		answer(w, r)
	}))
	tb.Cleanup(k.Close)
	return k
}

// keep makes the keys the set.
func (k *keeper) keep(tb testing.TB, keys ...object) {
	body := setOf(tb, keys...)
	k.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

// fail makes every fetch fail with the status.
func (k *keeper) fail(status int) {
	k.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// hang lets fetches wait until the hub gives up.
func (k *keeper) hang() {
	k.do(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func (k *keeper) do(answer http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

// setOf returns the document of a key set.
func setOf(tb testing.TB, keys ...object) []byte {
	tb.Helper()
	if keys == nil {
		keys = []object{}
	}
	body, err := json.Marshal(object{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// jwk returns the public half of the key, or the secret, as a JWK (RFC 7518, section 6; RFC 8037, section 2),
// changed. It names no algorithm.
func jwk(tb testing.TB, key Key, id string, changes ...object) object {
	tb.Helper()
	verification, err := key.verification()
	if err != nil {
		tb.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	var o object
	switch public := verification.material.(type) {
	case *rsa.PublicKey:
		o = object{"kty": "RSA", "n": text(public.N.Bytes()), "e": text(big.NewInt(int64(public.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			tb.Fatal(err)
		}
		half := len(point) / 2
		o = object{"kty": "EC", "crv": public.Curve.Params().Name, "x": text(point[1 : 1+half]), "y": text(point[1+half:])}
	case ed25519.PublicKey:
		o = object{"kty": "OKP", "crv": "Ed25519", "x": text(public)}
	case []byte:
		o = object{"kty": "oct", "k": text(public)}
	}
	if id != "" {
		o["kid"] = id
	}
	return with(o, changes...)
}

// signed returns an access token of the key, with its name in the header unless it is empty.
func signed(tb testing.TB, key Key, id string, changes ...object) string {
	tb.Helper()
	h := accessHeader(key)
	if id != "" {
		h["kid"] = id
	}
	return sign(tb, key, h, accessClaims(changes...))
}

// setVerifier returns a verifier whose keys for both roles are the set at the URL, with a cache and a
// clock. It has fetched the set once, or failed to. Its tokens wait for as long as it takes.
func setVerifier(tb testing.TB, url string, change func(*Options)) (*Verifier, *clock) {
	tb.Helper()
	c := &clock{}
	set := KeySet{URL: url}
	v := newVerifier(tb, Key{}, func(o *Options) {
		o.PublisherSet, o.SubscriberSet, o.CacheTokens, o.Now = set, set, 100, c.now
		if change != nil {
			change(o)
		}
	})
	tb.Cleanup(v.Close)
	for _, s := range v.sets {
		s.patience = time.Hour
		settle(s)
	}
	return v, c
}

// settle waits for the fetch that is due or under way, if one is.
func settle(s *remoteSet) {
	s.mu.Lock()
	round := s.round
	s.mu.Unlock()
	if round != nil {
		<-round
	}
}

// refetch lets the sets be fetched again.
func refetch(v *Verifier, c *clock) {
	c.advance(minAsk)
	for _, s := range v.sets {
		<-s.ask(s.held.Load())
	}
}
