package sse

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hubd/auth"
	"hubd/mercure"
)

// revocationsPath takes revocations.
const revocationsPath = Path + "/revocations"

const (
	// maxRevocations bounds what one request revokes.
	maxRevocations = 100
	// maxRevokedBytes bounds an id, a subject or an issuer.
	maxRevokedBytes = 1024
	// defaultRevocation is the usual duration of a revocation, maxRevocation the longest that may be asked for.
	defaultRevocation = 24 * time.Hour
	maxRevocation     = 366 * 24 * time.Hour
)

// Revoker refuses tokens. auth.Verifier is one.
type Revoker interface {
	// Revoke refuses tokens from now on. After auth.ErrRevocationsFull nothing was done; after any other error the
	// revocation holds, but may not outlive the process.
	Revoke(r auth.Revocation) error
}

var errNotRevoked = errors.New("nothing was revoked: too many ids and subjects are (--max-revocations); try again when some have run out")

// revocation is what a request revokes.
type revocation struct {
	auth.Revocation
	topics []string
}

// revoke answers a POST to revocationsPath: 200 once the tokens are refused and the streams have been told to end.
// What may be revoked is a matter of the token's action "revoke": its topics select the topics whose streams
// may be ended, and the topics that stand for ids and subjects.
func (s *Server) revoke(ctx *fasthttp.RequestCtx) {
	if !ctx.IsPost() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		fail(ctx, fasthttp.StatusMethodNotAllowed, "revocations are made with POST")
		return
	}
	if s.o.Revoker == nil {
		fail(ctx, fasthttp.StatusNotFound, "this hub takes no revocations")
		return
	}
	grant := s.publisher(ctx, "revoking", s.irrevocable())
	if grant == nil {
		return
	}
	if !isForm(ctx) {
		fail(ctx, fasthttp.StatusBadRequest, "content type is not "+form)
		return
	}
	r, err := readRevocation(ctx.PostArgs(), time.Now(), s.o.RevocationTime)
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if !grant.Revoke.MatchAll(r.subjects(s.o.HubPath)) {
		s.challenge(ctx, fasthttp.StatusForbidden, "insufficient_scope", "token does not grant revoking all of this")
		return
	}
	s.carryOut(ctx, r)
}

// irrevocable returns why no revocation can be taken, or nil.
func (s *Server) irrevocable() error {
	if s.o.Revocable == nil || s.stopping.Load() {
		return s.unready()
	}
	return s.o.Revocable()
}

// carryOut revokes and answers.
func (s *Server) carryOut(ctx *fasthttp.RequestCtx, r *revocation) {
	var kept error
	if len(r.IDs)+len(r.Subjects) > 0 {
		if kept = s.o.Revoker.Revoke(r.Revocation); errors.Is(kept, auth.ErrRevocationsFull) {
			unavailable(ctx, errNotRevoked)
			return
		}
	}
	// The streams end even where the file cannot be written: who asked for that should not have to wait for a disk.
	ended, err := s.o.Hub.Revoke(r.topics)
	if err = errors.Join(kept, err); err != nil {
		s.o.Logger.Error("revocation not complete", slog.Any("error", err))
		unavailable(ctx, errors.New("the revocation is not complete; try again"))
		return
	}
	s.o.Logger.Info("revoked", slog.Int("ids", len(r.IDs)), slog.Int("subjects", len(r.Subjects)), slog.Int("topics", len(r.topics)), slog.Int("streams", ended))
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "private, no-store")
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"streams":` + strconv.Itoa(ended) + "}\n")
}

// readRevocation reads the form: jti, sub and topic, each any number of times; iss and issued_before, which restrict
// jti and sub; and seconds, which is how long these are refused. A field that is unknown is an error, because to
// ignore a restriction would revoke too much.
func readRevocation(args *fasthttp.Args, now time.Time, usual time.Duration) (*revocation, error) {
	if usual <= 0 {
		usual = defaultRevocation
	}
	r := &revocation{Revocation: auth.Revocation{Until: now.Add(usual)}}
	for name, value := range args.All() {
		if err := r.read(string(name), string(value), now); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	switch n := len(r.IDs) + len(r.Subjects) + len(r.topics); {
	case n == 0:
		return nil, errors.New(`nothing to revoke: give "jti", "sub" or "topic" at least once`)
	case n > maxRevocations:
		return nil, fmt.Errorf("more than %d to revoke; use several requests", maxRevocations)
	}
	return r, nil
}

func (r *revocation) read(name, value string, now time.Time) error {
	switch name {
	case "jti", "sub", "iss":
		if value == "" || len(value) > maxRevokedBytes {
			return fmt.Errorf("has %d bytes, not 1 to %d", len(value), maxRevokedBytes)
		}
		if err := mercure.CheckText(value); err != nil {
			return err
		}
	case "topic":
		if value == "" || len(value) > maxTopicBytes {
			return fmt.Errorf("has %d bytes, not 1 to %d", len(value), maxTopicBytes)
		}
	}
	switch name {
	case "jti":
		r.IDs = append(r.IDs, value)
	case "sub":
		r.Subjects = append(r.Subjects, value)
	case "topic":
		r.topics = append(r.topics, value)
	case "iss":
		if r.Issuer != "" {
			return errors.New("is there twice; use several requests")
		}
		r.Issuer = value
	case "issued_before":
		seconds, err := strconv.ParseUint(value, 10, 63)
		if err != nil || seconds == 0 || seconds > math.MaxUint32 {
			return errors.New("is not a number of seconds since 1970")
		}
		r.IssuedBefore = time.Unix(int64(seconds), 0)
	case "seconds":
		seconds, err := strconv.ParseUint(value, 10, 63)
		if err != nil || seconds == 0 || seconds > uint64(maxRevocation/time.Second) {
			return fmt.Errorf("is not a number of seconds from 1 to %d", maxRevocation/time.Second)
		}
		r.Until = now.Add(time.Duration(seconds) * time.Second)
	default:
		return errors.New("is not a field of a revocation: jti, sub, topic, iss, issued_before, seconds")
	}
	return nil
}

// subjects are the topics that a token's action "revoke" has to select, each of them: those to be revoked, and
// for an id or a subject the one in the hub's namespace that stands for it, as in the subscription API.
func (r *revocation) subjects(hubPath string) []string {
	all := slices.Clone(r.topics)
	for _, id := range r.IDs {
		all = append(all, hubPath+"/revocations/jti/"+url.PathEscape(id))
	}
	for _, subject := range r.Subjects {
		all = append(all, hubPath+"/revocations/sub/"+url.PathEscape(subject))
	}
	return all
}
