package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
)

// pace is the time between two tokens.
const pace = 40 * time.Millisecond

// model is a language model that has read one page. A real one is asked here instead, and streams its tokens the same way.
type model struct{ texts []string }

func newModel() *model {
	return &model{texts: []string{
		"You asked: “%s”. I am a small program that pretends to be a language model, so I know one thing: how this page works. " +
			"Each piece of this answer is an update that the backend publishes to a private topic, which only this conversation's " +
			"token grants. The hub stores it before it says yes, and sends it here.\n\n" +
			"Reload the page while I am talking. The backend goes on without you; your browser asks the hub for everything after the " +
			"first event of the conversation, gets what it missed at once, and the rest as it comes. Nothing is lost, and nothing " +
			"comes twice.",
		"“%s”, you say. Let me think aloud, a few letters at a time. A stream of tokens is a log with a reader at its end, and a page " +
			"that was away is a reader further back. The hub keeps the log; the page keeps an id. That is all there is to it.",
	}}
}

// answer yields the tokens of an answer at the pace of a model, until it is complete or ctx ends.
func (m *model) answer(ctx context.Context, prompt string, turn int) iter.Seq[string] {
	text := fmt.Sprintf(m.texts[turn%len(m.texts)], prompt)
	return func(yield func(string) bool) {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for _, token := range strings.SplitAfter(text, " ") {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if !yield(token) {
				return
			}
		}
	}
}
