package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"hubd/auth"
)

const (
	// closeEnough is a difference of clocks that no token and no person notices; the Date header has whole seconds.
	closeEnough = 3 * time.Second
	// tolerable is a difference that tokens of usual lives outlast.
	tolerable = 30 * time.Second
)

// noteDate remembers how far the clock of whoever answered is ahead.
func (x *examination) noteDate(res *http.Response) {
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return
	}
	offset := date.Sub(x.o.Now())
	x.mu.Lock()
	defer x.mu.Unlock()
	x.offset = &offset
}

// clock compares clocks, on which the lives of tokens depend. The hub sends no date; it tells its time by which of two
// tokens it takes, one that has just expired and one that is about to. The date of a proxy is second best.
func (x *examination) clock(ctx context.Context) {
	if ahead, behind, ok := x.judge(ctx); ok {
		const advice = "keep the clocks of the hub and of whoever makes tokens right, with NTP"
		switch {
		case ahead:
			x.add("clock", Failure, fmt.Sprintf("the hub's clock is more than %s ahead of this machine's: it refuses tokens that are still valid", closeEnough), advice)
		case behind:
			x.add("clock", Failure, fmt.Sprintf("the hub's clock is more than %s behind this machine's: it takes tokens that have expired", closeEnough), advice)
		default:
			x.add("clock", OK, fmt.Sprintf("the hub's clock is within %s of this machine's", closeEnough), "")
		}
		return
	}
	x.mu.Lock()
	offset := x.offset
	x.mu.Unlock()
	switch {
	case offset == nil:
		x.add("clock", Skipped, "no answer had a date; it shows with a key", "")
	case offset.Abs() > tolerable:
		x.add("clock", Warning, fmt.Sprintf("the server's clock differs from this machine's by %s", offset.Round(time.Second)), "keep both right, with NTP: the lives of tokens depend on them")
	default:
		x.add("clock", OK, fmt.Sprintf("the server's clock differs from this machine's by %s", offset.Abs().Round(time.Second)), "")
	}
}

// judge asks with a token that expires closeEnough from now and with one that expired closeEnough ago. It is not ok
// without a key, or where the answers have no meaning. The requests are wrong in what follows the token, so they do nothing.
func (x *examination) judge(ctx context.Context) (ahead, behind, ok bool) {
	side, method, address := x.o.Subscriber, http.MethodGet, x.o.URL
	m := auth.MintOptions{Subscribe: x.matchers()}
	if side.Token != "" || side.Key.Absent() {
		side, method, m = x.o.Publisher, http.MethodPost, auth.MintOptions{Publish: x.matchers()}
	}
	if side.Token != "" || side.Key.Absent() {
		return false, false, false
	}
	accepted := func(life time.Duration) (bool, error) {
		token, err := x.token(side, m, life)
		if err != nil {
			return false, err
		}
		a, err := x.ask(ctx, method, address, "", "Authorization", bearer(token))
		if err != nil {
			return false, err
		}
		switch a.StatusCode {
		case http.StatusUnauthorized:
			return false, nil
		case http.StatusBadRequest:
			return true, nil
		}
		return false, fmt.Errorf("status %d", a.StatusCode)
	}
	long, err := accepted(tokenLife)
	if err != nil || !long {
		return false, false, false // the key is not the hub's
	}
	soon, err := accepted(closeEnough)
	if err != nil {
		return false, false, false
	}
	late, err := accepted(-closeEnough)
	return !soon, late, err == nil
}
