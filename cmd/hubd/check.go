package main

import (
	"errors"
	"fmt"
	"strings"

	"hubd/config"
	"hubd/persistence"
	"hubd/persistence/bolt"
)

// checkCommand is hubd check.
type checkCommand struct {
	config.Config `embed:""`
}

// Run returns every problem of the configuration, or says that there is none.
func (c *checkCommand) Run(s *streams, sources *config.Sources) error {
	var problems config.Problems
	if err := complete(&c.Config, sources); err != nil && !errors.As(err, &problems) {
		return err
	}
	if !problems.Has("store") {
		if err := c.checkStore(); err != nil {
			problems = append(problems, config.Problem{Key: "store", Text: err.Error()})
		}
	}
	for _, note := range c.Notes {
		if _, err := fmt.Fprintln(s.err, "hubd: note:", oneLine(note)); err != nil {
			return fmt.Errorf("print a note: %w", err)
		}
	}
	if err := problems.Err(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.out, "the configuration is valid: hub on %s, store %s\n", strings.Join(c.Addresses(), " and "), c.Store); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// checkStore looks at the file of a bolt store without changing it. That a running hub holds the file
// is no problem, but it cannot be looked at then.
func (c *checkCommand) checkStore() error {
	if c.Store.Scheme() != config.StoreBolt {
		return nil
	}
	err := bolt.Check(c.Store.Path())
	if errors.Is(err, persistence.ErrHeld) {
		c.Notes = append(c.Notes, fmt.Sprintf("store: %s is in use, so its content was not checked", c.Store))
		return nil
	}
	return err
}
