package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// unavailable verifies a token that can be neither accepted nor refused.
func unavailable(t *testing.T, v *Verifier, token string) {
	t.Helper()
	grant, err := v.Verify(RolePublisher, token, testAudience)
	if grant != nil || !errors.Is(err, ErrKeysUnavailable) || errors.Is(err, ErrInvalidToken) {
		t.Fatalf("got %v, %v, want ErrKeysUnavailable alone", grant, err)
	}
}

// "Token Validation": keys are rotated. The old key goes on while the set has both, and ends with the set
// that lacks it, remembered grants included.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "ES256")
	b, _ := newPair(t, "RS256")
	k := newKeeper(t, jwk(t, a, "a"))
	v, c := setVerifier(t, k.URL, nil)
	byA, byB := signed(t, a, "a", object{"exp": epoch().Add(time.Hour).Unix()}), signed(t, b, "b", object{"exp": epoch().Add(time.Hour).Unix()})
	accepted(t, v, RolePublisher, byA)
	refused(t, v, RolePublisher, byB, `"kid"`)

	k.keep(t, jwk(t, a, "a"), jwk(t, b, "b"))
	c.advance(minAsk)
	accepted(t, v, RolePublisher, byB) // the unknown name brings the newer set
	accepted(t, v, RolePublisher, byA)

	k.keep(t, jwk(t, b, "b"))
	accepted(t, v, RolePublisher, byA) // remembered
	refetch(v, c)
	refused(t, v, RolePublisher, byA, `"kid"`)
	accepted(t, v, RolePublisher, byB)

	k.keep(t)
	refetch(v, c)
	refused(t, v, RolePublisher, byB, `"kid"`)
}

// A set that has not changed leaves what is remembered valid.
func TestUnchangedSetKeepsTheCache(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	k := newKeeper(t, jwk(t, a, "a"))
	v, c := setVerifier(t, k.URL, nil)
	token := signed(t, a, "a")
	first := accepted(t, v, RolePublisher, token)
	refetch(v, c)
	if k.fetches.Load() != 2 || accepted(t, v, RolePublisher, token) != first {
		t.Errorf("after %d fetches the grant was made anew", k.fetches.Load())
	}
	k.keep(t, jwk(t, a, "a"), jwk(t, a, "b"))
	refetch(v, c)
	if accepted(t, v, RolePublisher, token) == first {
		t.Error("the grant of an older set was served")
	}
}

// 0.x tokens are verified with the set as well, with or without "kid".
func TestClassicTokensAreVerifiedWithTheSet(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "PS384")
	k := newKeeper(t, jwk(t, a, ""))
	v, _ := setVerifier(t, k.URL, func(o *Options) { o.Issuer = "" })
	accepted(t, v, RoleSubscriber, sign(t, a, classicHeader(a), classicClaims()))
	accepted(t, v, RoleSubscriber, sign(t, a, with(classicHeader(a), object{"kid": "x"}), classicClaims()))
	refused(t, v, RoleSubscriber, sign(t, a, with(classicHeader(a), object{"kid": 1}), classicClaims()), `"kid"`)
	refused(t, v, RoleSubscriber, signed(t, a, ""), "no trusted issuer")
}

// Whatever happens to the keeper, the set that it last gave goes on being used.
func TestStaleSetIsUsed(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	for name, trouble := range map[string]func(*keeper){
		"status 500": func(k *keeper) { k.fail(500) },
		"status 404": func(k *keeper) { k.fail(404) },
		"garbage": func(k *keeper) {
			k.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
		},
		"no keys": func(k *keeper) { k.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }) },
		"10 MiB": func(k *keeper) {
			k.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20)) })
		},
		"hangs up": func(k *keeper) { k.do(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }) },
		"gone":     func(k *keeper) { k.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t, jwk(t, a, "a"))
			var log bytes.Buffer
			v, c := setVerifier(t, k.URL, func(o *Options) {
				o.CacheTokens, o.Logger = -1, slog.New(slog.NewTextHandler(&log, nil))
			})
			token := signed(t, a, "a")
			accepted(t, v, RolePublisher, token)
			trouble(k)
			for range 3 {
				refetch(v, c)
				accepted(t, v, RolePublisher, token)
			}
			// An unknown key may be a new one: the old set cannot tell.
			c.advance(1)
			unavailable(t, v, signed(t, a, "b"))
			stats := v.KeySets()
			if stats.Fetched != 1 || stats.Failed != 3 || stats.Age != 3*minAsk+1 {
				t.Errorf("stats are %+v", stats)
			}
			if k.keep(t, jwk(t, a, "b")); name != "gone" {
				refetch(v, c)
				accepted(t, v, RolePublisher, signed(t, a, "b"))
				refused(t, v, RolePublisher, token, `"kid"`)
			}
			v.Close()
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), `msg="key set cannot be fetched" keys=`+k.URL+" error=") {
				t.Errorf("%d warnings, want one:\n%s", n, log.String())
			}
		})
	}
}

// The log says what changes: the first failure, the end of failures, another set; not each fetch.
func TestLogOfAKeySet(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	k := newKeeper(t)
	k.fail(503)
	var log bytes.Buffer
	v, c := setVerifier(t, k.URL+"/keys?token=s3cr3t", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	refetch(v, c)
	k.keep(t, jwk(t, a, "a"), jwk(t, a, "b", object{"use": "enc"}))
	refetch(v, c)
	refetch(v, c)
	k.fail(500)
	refetch(v, c)
	refetch(v, c)
	k.keep(t, jwk(t, a, "a"), jwk(t, a, "b", object{"use": "enc"}))
	refetch(v, c)
	k.keep(t)
	refetch(v, c)
	v.Close()
	var lines []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, " level=")
		lines = append(lines, strings.ReplaceAll(strings.TrimSpace(line), k.URL, "URL"))
	}
	want := []string{
		`WARN msg="key set cannot be fetched" keys=URL/keys error="fetching URL/keys: the answer has status 503" stale=false`,
		`INFO msg="key set fetched" keys=URL/keys used=1 skipped=1`,
		`WARN msg="key set cannot be fetched" keys=URL/keys error="fetching URL/keys: the answer has status 500" stale=true`,
		`INFO msg="key set can be fetched again" keys=URL/keys`,
		`WARN msg="key set has no key that verifies signatures" keys=URL/keys skipped=0`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the log is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// While no set was ever fetched, nothing is known about any token: none is accepted, and none is called
// invalid that a key could make valid.
func TestNothingIsDecidedWithoutASet(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "ES256")
	k := newKeeper(t)
	k.fail(502)
	v, c := setVerifier(t, k.URL, nil)
	unavailable(t, v, signed(t, a, "a"))
	unavailable(t, v, signed(t, a, ""))
	unavailable(t, v, signed(t, a, "a", object{"exp": 1}))
	unavailable(t, v, sign(t, a, classicHeader(a), classicClaims()))
	if n := k.fetches.Load(); n != 1 {
		t.Errorf("%d fetches in no time, want 1", n)
	}
	// What no set can make valid is refused at once.
	refused(t, v, RolePublisher, "a.b.c", "")
	refused(t, v, RolePublisher, signed(t, a, "a", object{"iss": "https://other.example"}), `"iss"`)
	secret := newSecret(t)
	refused(t, v, RolePublisher, signed(t, secret, ""), `"alg"`)

	k.keep(t, jwk(t, a, "a"))
	unavailable(t, v, signed(t, a, "a"))
	c.advance(minAsk)
	accepted(t, v, RolePublisher, signed(t, a, "a"))
	refused(t, v, RolePublisher, signed(t, a, "a", object{"exp": 1}), "expired")
}

// Tokens make the hub fetch no more often than once in ten seconds, however many there are, and
// all that wait share one fetch.
func TestStormOfUnknownKeysIsLimited(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	k := newKeeper(t, jwk(t, a, "a"))
	v, c := setVerifier(t, k.URL, nil)
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = signed(t, a, fmt.Sprint(i))
	}
	storm := func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, token := range tokens {
					if _, err := v.Verify(RolePublisher, token, testAudience); !errors.Is(err, ErrInvalidToken) {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		wg.Wait()
	}
	for want := range 3 {
		storm()
		if n := k.fetches.Load(); n != int64(want)+1 {
			t.Fatalf("%d fetches after storm %d", n, want)
		}
		c.advance(minAsk - 1)
		storm()
		if n := k.fetches.Load(); n != int64(want)+1 {
			t.Fatalf("%d fetches within ten seconds of the last", n)
		}
		c.advance(1)
	}
	// What is wrong with these no newer set can mend.
	before := k.fetches.Load()
	c.advance(minAsk)
	forged := signed(t, a, "a")
	refused(t, v, RolePublisher, forged[:len(forged)-8]+"AAAAAAAA", "signature")
	refused(t, v, RolePublisher, signed(t, newSecret(t), "b"), `"alg"`)
	refused(t, v, RolePublisher, signed(t, a, "b", object{"iss": "https://other.example"}), `"iss"`)
	refused(t, v, RolePublisher, signed(t, a, "", object{"exp": 1}), "expired")
	if n := k.fetches.Load(); n != before {
		t.Errorf("%d fetches for tokens that are wrong in another way", n-before)
	}
}

// A fetch that is due answers a token that asked for one at the same moment: the request does not stay, to be
// in the way of the next.
func TestDueFetchIsTheOneAskedFor(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	c := &clock{}
	o := Options{Now: c.now}.withDefaults()
	s := newRemoteSet(locate(t, k.URL), &o, func() {})
	for range 3 {
		if _, err := s.update(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		c.advance(minAsk)
		if len(s.wake) != 0 || s.ask(s.held.Load()) == nil {
			t.Fatal("a token could not ask")
		}
	}
}

// New does not wait for a server that hangs, and Close does not either.
func TestCloseEndsAFetch(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	k := newKeeper(t)
	asked := make(chan struct{})
	k.do(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	var log bytes.Buffer
	v := newVerifier(t, Key{}, func(o *Options) {
		o.PublisherSet = KeySet{URL: k.URL}
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	<-asked
	v.sets[0].patience = time.Hour
	verified := make(chan error)
	go func() {
		_, err := v.Verify(RolePublisher, signed(t, a, "a"), testAudience)
		verified <- err
	}()
	v.Close()
	if err := <-verified; !errors.Is(err, ErrKeysUnavailable) {
		t.Errorf("a token that waited: %v", err)
	}
	v.Close()
	unavailable(t, v, signed(t, a, "a"))
	if log.Len() > 0 || v.KeySets().Failed != 0 {
		t.Errorf("the end counts as a failure: %s", log.String())
	}
}

// What was fetched is used after Close, and nothing is fetched any more.
func TestClosedVerifierKeepsItsSet(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	k := newKeeper(t, jwk(t, a, "a"))
	v, c := setVerifier(t, k.URL, nil)
	v.Close()
	c.advance(minAsk + 1)
	accepted(t, v, RolePublisher, signed(t, a, "a"))
	unavailable(t, v, signed(t, a, "b"))
	unavailable(t, v, signed(t, a, "b"))
	if n := k.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

// transport is a server inside of a synctest bubble, where a real one would keep time from passing.
type transport struct {
	answer func(*http.Request) (*http.Response, error)
	times  []time.Duration
	begun  time.Time
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.times = append(tr.times, time.Since(tr.begun))
	return tr.answer(r)
}

// bubble returns a verifier, of the present time, of a set that the transport serves.
func bubble(t *testing.T, tr *transport) *Verifier {
	t.Helper()
	tr.begun = time.Now()
	set := KeySet{URL: "https://issuer.example/jwks"}
	o := Options{PublisherSet: set, Issuer: testIssuer, Space: newSpace(t), CacheTokens: -1}
	o = o.withDefaults()
	l := locate(t, set.URL)
	l.client.Transport = tr
	v := newVerifier(t, Key{}, func(p *Options) { p.Now = o.Now })
	s := newRemoteSet(l, &o, func() { v.generation.Add(1) })
	v.sets = []*remoteSet{s}
	source := &setSource{set: s, algorithms: set.algorithms()}
	v.classic = issuerKeys{source, source}
	v.issuers[testIssuer] = v.classic
	s.start()
	t.Cleanup(v.Close)
	return v
}

func response(body []byte, header http.Header) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(body))}
}

// When a set is fetched: every five minutes, sooner if its keeper says so, and soon after a failure.
func TestScheduleOfFetches(t *testing.T) {
	t.Parallel()
	seconds := func(list ...int) []time.Duration {
		times := make([]time.Duration, len(list))
		for i, s := range list {
			times[i] = time.Duration(s) * time.Second
		}
		return times
	}
	for name, test := range map[string]struct {
		cache  string
		broken func(n int) bool // whether fetch n fails
		want   []time.Duration
	}{
		"every five minutes":     {"", nil, seconds(0, 300, 600, 900)},
		"no-cache":               {"no-cache", nil, seconds(0, 300, 600, 900)},
		"a shorter life":         {"max-age=200", nil, seconds(0, 200, 400, 600, 800, 1000)},
		"too short a life":       {"max-age=1", nil, seconds(0, 30, 60, 90, 120)},
		"a longer life":          {"max-age=86400", nil, seconds(0, 300, 600, 900)},
		"failures":               {"", func(int) bool { return true }, seconds(0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111)},
		"failures and then none": {"", func(n int) bool { return n == 1 || n == 2 || n == 4 }, seconds(0, 300, 301, 303, 603, 604, 904)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := setOf(t)
			synctest.Test(t, func(t *testing.T) {
				tr := &transport{}
				tr.answer = func(*http.Request) (*http.Response, error) {
					if test.broken != nil && test.broken(len(tr.times)-1) {
						return nil, errors.New("broken")
					}
					return response(body, http.Header{"Cache-Control": {test.cache}}), nil
				}
				v := bubble(t, tr)
				time.Sleep(test.want[len(test.want)-1] + time.Second/2)
				v.Close()
				if !slices.Equal(tr.times, test.want) {
					t.Errorf("fetched at %v, want %v", tr.times, test.want)
				}
			})
		})
	}
}

// A token waits for three seconds, a fetch for ten.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	token := signed(t, a, "a")
	synctest.Test(t, func(t *testing.T) {
		tr := &transport{answer: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		v := bubble(t, tr)
		begun := time.Now()
		unavailable(t, v, token)
		if d := time.Since(begun); d != maxPatience {
			t.Errorf("a token waited for %s", d)
		}
		v.sets[0].waiting.Store(maxWaiting)
		begun = time.Now()
		unavailable(t, v, token)
		if d := time.Since(begun); d != 0 || v.sets[0].waiting.Load() != maxWaiting {
			t.Errorf("a token too many waited for %s", d)
		}
		settle(v.sets[0])
		if d := time.Since(tr.begun); d != fetchTimeout || v.KeySets().Failed != 1 {
			t.Errorf("a fetch took %s", d)
		}
		v.Close()
	})
}

// A token that comes while the first fetch is under way waits for it and is decided.
func TestFirstTokenWaitsForTheFirstSet(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "EdDSA")
	body, far := setOf(t, jwk(t, a, "a")), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	good, bad := signed(t, a, "a", object{"exp": far}), signed(t, a, "b", object{"exp": far})
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Int64
		v := bubble(t, &transport{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(slow.Add(1)) * time.Second)
			return response(body, nil), nil
		}})
		accepted(t, v, RolePublisher, good)
		// The set is not older than ten seconds: it decides.
		refused(t, v, RolePublisher, bad, `"kid"`)
		if n := slow.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
		v.Close()
	})
}

// The change of a file is seen without a token that asks for it.
func TestChangeOfAFileIsSeen(t *testing.T) {
	t.Parallel()
	a, b := newSecret(t), newSecret(t)
	far := object{"exp": time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()}
	byA, byB := signed(t, a, "a", far), signed(t, b, "b", far)
	path := filepath.Join(t.TempDir(), "jwks.json")
	write := func(keys ...object) {
		if err := os.WriteFile(path, setOf(t, keys...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(jwk(t, a, "a"))
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Key{}, func(o *Options) {
			o.PublisherSet, o.CacheTokens, o.Now = KeySet{URL: "file://" + path, Algorithms: []string{"HS256"}}, 100, time.Now
		})
		defer v.Close()
		accepted(t, v, RolePublisher, byA)
		write(jwk(t, b, "b"))
		time.Sleep(fileLifetime + time.Second)
		refused(t, v, RolePublisher, byA, `"kid"`)
		accepted(t, v, RolePublisher, byB)
		// A file that is being written is not a set, and the last one counts.
		if err := os.WriteFile(path, []byte(`{"keys":[`), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fileLifetime + time.Second)
		accepted(t, v, RolePublisher, byB)
		write(jwk(t, a, "a"), jwk(t, b, "b"))
		time.Sleep(minAskFile)
		accepted(t, v, RolePublisher, byA)
		if stats := v.KeySets(); stats.Failed == 0 {
			t.Error("the file that is no set counts as fetched")
		}
	})
}
