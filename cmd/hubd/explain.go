package main

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"hubd/actors"
	"hubd/pprof"
)

// Explain implements sse.Explainer.
func (l *lateHub) Explain(q actors.Question) (*actors.Explanation, error) {
	h, err := l.hub()
	if err != nil {
		return nil, err
	}
	return h.Explain(q)
}

// RecentTopics implements sse.Explainer.
func (l *lateHub) RecentTopics(asker *actors.Asker) (*actors.TopicList, error) {
	h, err := l.hub()
	if err != nil {
		return nil, err
	}
	return h.RecentTopics(asker)
}

// remembered is how many streams are remembered after their end; 0 without an engine.
func (l *lateHub) remembered() int {
	if e := l.engine.Load(); e != nil {
		return e.hub.RememberedStreams()
	}
	return 0
}

// watchExplanations adds what is kept for explanations to the metrics.
func (m *metrics) watchExplanations(d *daemon) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "hubd_ended_streams", Help: "Streams that are remembered after their end."},
		func() float64 { return float64(d.late.remembered()) },
	))
}

// answers are what the admin server says of streams: to whoever reaches it, everything.
func (d *daemon) answers() map[string]pprof.Answer {
	return map[string]pprof.Answer{
		"/explain": {About: "why a stream did or did not get an update: ?subscriber=ID&event=ID", JSON: d.explain},
		"/topics":  {About: "topics of the newest updates, with the streams that follow them", JSON: d.topics},
		"/streams": {About: "streams that are open, with their ids, and those that ended last: ?topic=T&subject=S&limit=N&after=ID", JSON: d.streams},
	}
}

// listed and mostListed are how many streams are listed, unless it is asked for another number, and at most.
const (
	listed     = 100
	mostListed = 1000
)

var errWrongParameter = errors.New("wrong parameter")

// explain answers /explain of the admin server.
func (d *daemon) explain(args url.Values) (status int, document any) {
	id, err := actors.ParseStreamID(args.Get("subscriber"))
	if err != nil {
		return http.StatusBadRequest, failure{`"subscriber": ` + err.Error()}
	}
	if args.Get("event") == "" {
		return http.StatusBadRequest, failure{`"event" is missing: the id of an update`}
	}
	x, err := d.late.Explain(actors.Question{Stream: id, Event: args.Get("event")})
	if err != nil {
		return http.StatusServiceUnavailable, failure{err.Error()}
	}
	return http.StatusOK, x
}

// streams answers /streams of the admin server.
func (d *daemon) streams(args url.Values) (status int, document any) {
	f := actors.StreamFilter{Topic: args.Get("topic"), Subject: args.Get("subject"), Limit: listed}
	var err error
	if text := args.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err == nil && (f.Limit < 0 || f.Limit > mostListed) {
			err = errWrongParameter
		}
	}
	if text := args.Get("after"); err == nil && text != "" {
		f.After, err = actors.ParseStreamID(text)
	}
	if err != nil {
		return http.StatusBadRequest, failure{`"limit" is 0 to ` + strconv.Itoa(mostListed) + `, and "after" the id of a stream`}
	}
	h, err := d.late.hub()
	if err != nil {
		return http.StatusServiceUnavailable, failure{err.Error()}
	}
	list, err := h.Streams(f)
	if err != nil {
		return http.StatusServiceUnavailable, failure{err.Error()}
	}
	return http.StatusOK, list
}

// topics answers /topics of the admin server.
func (d *daemon) topics(url.Values) (status int, document any) {
	list, err := d.late.RecentTopics(nil)
	if err != nil {
		return http.StatusServiceUnavailable, failure{err.Error()}
	}
	return http.StatusOK, list
}

// failure is an answer that says why there is none.
type failure struct {
	Error string `json:"error"`
}
