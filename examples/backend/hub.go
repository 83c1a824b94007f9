package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrPublish is wrapped by the error of Publish.
var ErrPublish = errors.New("the hub did not take the update")

// Hub is the hub of an example. Its methods may be called by many goroutines.
type Hub struct {
	// URL is the hub's address as pages see it.
	URL string

	key    []byte
	client *http.Client
	now    func() time.Time
}

func newHub(address string, key []byte) *Hub {
	return &Hub{URL: address, key: key, client: &http.Client{Timeout: 10 * time.Second}, now: time.Now}
}

// Publish sends v, as JSON, to those who follow the topic, and returns the id that it is stored under. A private update
// reaches only those whose token grants the topic.
func (h *Hub) Publish(ctx context.Context, topic string, v any, private bool) (id string, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode an update: %w", err)
	}
	form := url.Values{"topic": {topic}, "data": {string(data)}}
	if private {
		form.Set("private", "on")
	}
	token, err := publisherToken(h.key, h.now())
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := h.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPublish, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPublish, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %s: %s", ErrPublish, response.Status, body)
	}
	return string(body), nil
}

// WriteToken answers with a token for the topics.
func (h *Hub) WriteToken(w http.ResponseWriter, topics ...string) {
	token, err := subscriberToken(h.key, h.now(), topics...)
	if err != nil {
		http.Error(w, "no token could be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, token)
}

// Link names the hub, and the newest update that the answer takes into account ("Discovery").
func (h *Hub) Link(w http.ResponseWriter, lastEventID string) {
	w.Header().Add("Link", fmt.Sprintf("<%s>; rel=%q; last-event-id=%q", h.URL, "mercure", lastEventID))
}

// origin is where pages connect to.
func (h *Hub) origin() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
