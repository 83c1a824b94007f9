// Command hubd is the hub: a server of the Mercure protocol over a durable log.
//
// This package is the only place that wires the rooms together, reads flags and the environment, handles
// signals and chooses the exit code: 0 for a clean stop, 1 for a failure at run time, 2 for a bad
// configuration or usage. Every other package returns errors to it; report prints them, one line each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"hubd/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly stop. From then on signals have their default effect, so a
	// second one ends a stop that takes too long.
	context.AfterFunc(ctx, stop)
	code := report(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr), os.Stderr)
	stop()
	os.Exit(code)
}

// commands is the grammar of the command line. A command's Run may ask for a context.Context, which
// ends with the first signal, for *streams, for *config.Sources and for *serviceManager.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the hub. This is the default command: hubd --dev is hubd serve --dev."`
	Check   checkCommand   `cmd:"" help:"Load and validate the configuration, name each problem, and exit with 0 or 2."`
	Token   tokenCommand   `cmd:"" help:"Mint a token for a publisher or a subscriber."`
	Store   storeCommand   `cmd:"" help:"Verify, compact or export the file of a bolt store, or copy the history of any store."`
	Doctor  doctorCommand  `cmd:"" help:"Examine a running hub as its clients see it, and say what to do."`
	Version versionCommand `cmd:"" help:"Print the version, the commit and the Go version."`
}

// serveCommand is hubd serve.
type serveCommand struct {
	config.Config `embed:""`
}

// Run serves until the first signal.
func (c *serveCommand) Run(ctx context.Context, s *streams, sources *config.Sources, manager *serviceManager) error {
	if err := complete(&c.Config, sources); err != nil {
		return err
	}
	return serve(ctx, &c.Config, manager, s.out, s.err)
}

// streams are where a command writes: what was asked for to out, the rest to err.
type streams struct{ out, err io.Writer }

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// run parses the command line and runs its command, until it is done or ctx ends. It touches nothing
// of the process: not its arguments, its environment, nor its standard streams.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	var grammar commands
	helped := false
	sources := config.NewSources(environ)
	parser, err := kong.New(&grammar, append(sources.Options(),
		kong.Name("hubd"),
		kong.Description("A hub of the Mercure protocol over a durable log."),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		// Help is printed by a flag's hook, after which the parser wants to exit; here run returns.
		kong.Exit(func(int) { helped = true }),
	)...)
	if err != nil {
		return fmt.Errorf("build the command line: %w", err)
	}
	if err := checkCommandName(parser, args); err != nil {
		return &usageError{err}
	}
	parsed, err := parser.Parse(args)
	switch {
	case helped:
		return nil
	case err != nil:
		return &usageError{err}
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(&streams{out: stdout, err: stderr}, sources, newServiceManager(environ, os.Getpid()))
}

// checkCommandName catches a misspelt command, which the parser would take for an argument of serve.
func checkCommandName(parser *kong.Kong, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	var names []string
	for _, command := range parser.Model.Children {
		names = append(names, command.Name)
	}
	if slices.Contains(names, args[0]) {
		return nil
	}
	return fmt.Errorf("unknown command %q; the commands are %s", args[0], strings.Join(names, ", "))
}

// report prints the error, one line for each thing that is wrong, and returns the exit code.
func report(err error, stderr io.Writer) int {
	var problems config.Problems
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &problems):
		for _, problem := range problems {
			fmt.Fprintln(stderr, "hubd: configuration:", oneLine(problem.String()))
		}
		return 2
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "hubd: %s; see hubd --help\n", oneLine(err.Error()))
		return 2
	}
	fmt.Fprintln(stderr, "hubd:", oneLine(err.Error()))
	return 1
}

// oneLine joins the lines of joined errors.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
