package auth

import (
	"fmt"
	"testing"
)

// BenchmarkVerify validates a token that is not remembered (cold) and one that is (hot).
func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		private := newSecret(b)
		public := private
		if algorithm != "HS256" {
			private, public = newPair(b, algorithm)
		}
		for dialect, token := range map[string]string{
			"1.0": sign(b, private, accessHeader(private), accessClaims()),
			"0.x": sign(b, private, classicHeader(private), classicClaims()),
		} {
			for temper, places := range map[string]int{"cold": -1, "hot": 0} {
				v := newVerifier(b, public, func(o *Options) { o.CacheTokens = places })
				b.Run(fmt.Sprintf("%s/%s/%s", algorithm, dialect, temper), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if _, err := v.Verify(RolePublisher, token, testAudience); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkVerifyHeader is what a publish pays for its token, which all connections know (cached) or which its
// connection presented last (memo).
func BenchmarkVerifyHeader(b *testing.B) {
	key := newSecret(b)
	v := newVerifier(b, key, func(o *Options) { o.CacheTokens = 0 })
	header := []byte("Bearer " + sign(b, key, classicHeader(key), classicClaims()))
	for name, memo := range map[string]*Memo{"cached": nil, "memo": {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := v.VerifyHeader(memo, RolePublisher, header, testAudience); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyParallel is the hot path from all processors at once.
func BenchmarkVerifyParallel(b *testing.B) {
	key := newSecret(b)
	v := newVerifier(b, key, func(o *Options) { o.CacheTokens = 0 })
	token := sign(b, key, accessHeader(key), accessClaims())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(RolePublisher, token, testAudience); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkForgedTokenWithoutKeyID is what a token costs that anybody can send: no "kid", and a signature by
// none of more keys than are tried.
func BenchmarkForgedTokenWithoutKeyID(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		forger, _ := newPair(b, algorithm)
		j, err := parseJWS(signed(b, forger, ""))
		if err != nil {
			b.Fatal(err)
		}
		var published []object
		for range maxTries + 1 {
			key, _ := newPair(b, algorithm)
			published = append(published, jwk(b, key, ""))
		}
		set, err := readJWKS(setOf(b, published...))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(algorithm, func(b *testing.B) {
			for b.Loop() {
				if set.verify(j) == nil {
					b.Fatal("a forged token was accepted")
				}
			}
		})
	}
}
