//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"hubd/auth"
	"hubd/bench/target"
	"hubd/internal/churn"
	"hubd/mercure"
)

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// shortest is a run in which the newest updates in memory come to their bound; before that the heap grows as if it leaked.
const shortest = time.Minute

// settle is how long clients may take to be gone from the hub after a round.
const settle = time.Minute

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	length := flags.Duration("for", 2*time.Minute, "how long clients come and leave")
	round := flags.Duration("round", 0, "how long a round is; a twelfth of the whole by default, one minute at most")
	crowd := flags.Int("clients", 64, "how many clients are there at once")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if *round == 0 {
		*round = min(*length/12, time.Minute)
	}
	if flags.NArg() > 0 || *round <= 0 || *length < max(*round, shortest) || *crowd < 1 {
		return fmt.Errorf("%w: -for and -round are durations, the first at least %s and the second not longer; -clients is at least 1", errUsage, shortest)
	}
	dir, err := os.MkdirTemp("", "hubd-soak-")
	if err != nil {
		return fmt.Errorf("make a directory for the hub: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o, hub, err := start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.Stop()) }()
	o.Clients = *crowd
	samples, counts, err := soak(ctx, hub, o, *length, *round)
	if err != nil {
		return fmt.Errorf("%w; the end of the hub's log:\n%s", err, hub.Log())
	}
	fmt.Fprintf(stdout, "%d clients came and left: %s\n\n", counts.Total(), counts)
	return report(stdout, samples)
}

// start builds and starts a hub.
func start(ctx context.Context, dir string) (o churn.Options, hub *target.Target, err error) {
	program, err := target.Build(ctx, ".", dir)
	if err != nil {
		return o, nil, err
	}
	const key = "a key for the leak soak and nothing else"
	hub, err = target.StartHub(ctx, target.HubOptions{
		Keys: target.Keys{Dialect: auth.V0, Publisher: key, Subscriber: key}, Program: program, Run: "soak", Dir: dir, Store: "bolt",
		// A short history is full after the first round, and streams that replay it do not read it to its end.
		Flags: []string{"--anonymous", "--subscriptions", "--history-max-events=1000"},
	})
	if err != nil {
		return o, nil, err
	}
	token, err := auth.Mint(auth.MintOptions{
		Key: auth.Key{Material: []byte(key)}, Dialect: auth.V0,
		Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: mercure.Wildcard}},
	})
	if err != nil {
		return o, nil, errors.Join(err, hub.Stop())
	}
	return churn.Options{
		Hub: "http://" + hub.Addr.String() + "/.well-known/mercure", Token: token,
		Topic: "https://example.com/soak", Size: 4 << 10,
	}, hub, nil
}

// soak runs rounds until the time is over, with a sample after each.
func soak(ctx context.Context, hub *target.Target, o churn.Options, length, round time.Duration) (samples []sample, total churn.Counts, err error) {
	admin := strings.TrimSuffix(hub.Metrics, "/metrics")
	begun := time.Now()
	for time.Since(begun) < length && ctx.Err() == nil {
		// Not a deadline, of which a dial would make an error of its own.
		this, cancel := context.WithCancel(ctx)
		end := time.AfterFunc(round, cancel)
		counts, err := churn.Run(this, o, math.MaxInt64)
		end.Stop()
		cancel()
		if err != nil {
			return samples, total, err
		}
		for phase, n := range counts {
			total[phase] += n
		}
		s, err := take(ctx, admin)
		if err != nil {
			return samples, total, err
		}
		s.at, s.clients = time.Since(begun), total.Total()
		samples = append(samples, s)
	}
	return samples, total, ctx.Err()
}

// take waits until the clients are gone and takes a sample. Goroutines and files that stay do not keep it waiting: they are
// what it is after.
func take(ctx context.Context, admin string) (s sample, err error) {
	waiting, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	gone := churn.Footprint{Goroutines: math.MaxInt, Files: math.MaxInt}
	if err := churn.Await(waiting, admin, gone); err != nil && ctx.Err() != nil {
		return s, err
	}
	s.Footprint, err = churn.ReadHeap(ctx, admin)
	return s, err
}
