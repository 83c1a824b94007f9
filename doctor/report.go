package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Status is how a check went.
type Status string

// The statuses. Only a failure means that clients of the hub cannot do what they should.
const (
	OK      Status = "ok"
	Warning Status = "warn"
	Failure Status = "fail"
	Skipped Status = "skip"
)

// Finding is the result of one check.
type Finding struct {
	// Check is its name, one word.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Text is what was seen, Advice what to do about it.
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// Report is what was found, in the order in which it was looked for.
type Report struct {
	URL      string    `json:"url"`
	Findings []Finding `json:"findings"`
}

// Count returns how many findings have the status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// WriteTable writes the report for people, one check a line, with advice below it.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", printable(r.URL))
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-4s  %-11s %s\n", f.Status, f.Check, printable(f.Text))
		if f.Advice != "" {
			fmt.Fprintf(&b, "%18s-> %s\n", "", printable(f.Advice))
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d to look at, %d failed, %d skipped\n", r.Count(OK), r.Count(Warning), r.Count(Failure), r.Count(Skipped))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// printable keeps what a server answered from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
