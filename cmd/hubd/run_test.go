package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"hubd/config"
	"hubd/internal/hubtest"
	"hubd/persistence/bolt"
)

const secret = "a secret of the right length for HS256"

// command runs hubd in this process and returns its exit code and what it wrote.
func command(args, environ []string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = report(run(context.Background(), args, environ, &out, &err), &err)
	return code, out.String(), err.String()
}

// keys are both keys in the environment.
func keys() []string {
	return []string{"HUBD_PUBLISHER_KEY=" + secret, "HUBD_SUBSCRIBER_KEY=" + secret}
}

func TestRunExitCodes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	alien := filepath.Join(t.TempDir(), "alien.db")
	if err := os.WriteFile(alien, []byte("this is no store"), 0o600); err != nil {
		t.Fatal(err)
	}
	memory := "--store=memory://"
	tests := map[string]struct {
		args, environ  []string
		code           int
		stdout, stderr string
	}{
		"version":               {[]string{"version"}, nil, 0, "hubd ", ""},
		"help":                  {[]string{"--help"}, nil, 0, "Usage: hubd <command>", ""},
		"help of serve":         {[]string{"serve", "--help"}, nil, 0, "($HUBD_PUBLISHER_KEY_FILE)", ""},
		"help of check":         {[]string{"check", "-h"}, nil, 0, "Load and validate", ""},
		"help and a mistake":    {[]string{"--help", "--zigzag"}, nil, 2, "", "hubd: unknown flag --zigzag; see hubd --help\n"},
		"unknown command":       {[]string{"chekc"}, nil, 2, "", "hubd: unknown command \"chekc\"; the commands are serve, check, token, store, doctor, version; see hubd --help\n"},
		"unknown flag":          {[]string{"--lisen=:1"}, nil, 2, "", "hubd: unknown flag --lisen, did you mean \"--listen\"?; see hubd --help\n"},
		"unknown flag of check": {[]string{"check", "--zigzag"}, nil, 2, "", "unknown flag --zigzag"},
		"argument too many":     {[]string{"check", "now"}, nil, 2, "", "unexpected argument now"},
		"value that is wrong":   {[]string{"--drain=soon"}, nil, 2, "", "--drain: expected duration"},
		"value that is missing": {[]string{"--publisher-key"}, nil, 2, "", "--publisher-key: needs a value"},

		"check without keys": {[]string{"check", memory}, nil, 2, "",
			"hubd: configuration: publisher-key: is missing: nobody could publish; set it, or publisher-key-file, or publisher-jwks-url, or start with --dev to try the hub\n" +
				"hubd: configuration: subscriber-key: is missing: nobody could subscribe; set it, or subscriber-key-file, or subscriber-jwks-url, or anonymous to serve public updates to everyone\n"},
		"serve without keys":       {[]string{"serve", memory}, nil, 2, "", "hubd: configuration: publisher-key: is missing"},
		"default without keys":     {nil, nil, 2, "", "hubd: configuration: publisher-key: is missing"},
		"check":                    {[]string{"check", memory}, keys(), 0, "the configuration is valid: hub on 127.0.0.1:3000, store memory://\n", ""},
		"check of development":     {[]string{"check", "--dev", memory}, nil, 0, "is valid", ""},
		"check of a new store":     {[]string{"check", "--store=bolt://" + t.TempDir() + "/new.db"}, keys(), 0, "is valid", ""},
		"check of an alien store":  {[]string{"check", "--store=bolt://" + alien}, keys(), 2, "", "hubd: configuration: store: check bolt store " + alien},
		"check of a lost store":    {[]string{"check", "--store=bolt:///nowhere/hub.db"}, keys(), 2, "", "directory /nowhere does not exist"},
		"check of a bad PEM":       {[]string{"check", memory, "--publisher-alg=RS256"}, keys(), 2, "", "hubd: configuration: publisher-key: unusable key: RS256 takes a key as PEM text"},
		"check of PEM as a secret": {[]string{"check", memory, "--publisher-key=-----BEGIN PUBLIC KEY-----"}, keys(), 2, "", "publisher-key: unusable key: HS256 takes a secret"},
		"serve with a bad PEM":     {[]string{memory, "--subscriber-alg=ES256"}, keys(), 2, "", "hubd: configuration: subscriber-key: unusable key"},
		"check of a weak key":      {[]string{"check", memory, "--publisher-key=short"}, keys(), 0, "is valid", "hubd: note: publisher-key: the secret has 5 bytes"},
		"check of official variables": {[]string{"check", memory}, append(keys(), "MERCURE_EXTRA_DIRECTIVES=anonymous"), 0, "is valid",
			"hubd: note: MERCURE_EXTRA_DIRECTIVES is not read"},
		"failure at run time": {[]string{memory, "--admin-listen=", "--listen=" + taken.Addr().String()}, keys(), 1, "", "address already in use"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := command(test.args, test.environ)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q\nwant %d, %q, %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
			if code != 0 && stdout != "" {
				t.Errorf("a command that failed wrote %q to stdout", stdout)
			}
			if strings.Contains(stdout+stderr, secret) {
				t.Errorf("the output shows a secret: %q %q", stdout, stderr)
			}
		})
	}
}

func TestCheckNamesEveryProblemInOneLineEach(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hubd.yaml")
	if err := os.WriteFile(file, []byte("colour: blue\nheartbeat: soon\nprotocol: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command([]string{"check", "--config", file, "--publisher-alg=RS256"}, append(keys(), "HUBD_STORE=mysql://user:"+secret+"@host"))
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if code != 2 || len(lines) != 5 {
		t.Fatalf("exit code %d, %d lines:\n%s", code, len(lines), stderr)
	}
	for i, key := range []string{"colour", "store", "protocol", "heartbeat", "publisher-key"} {
		if !strings.HasPrefix(lines[i], "hubd: configuration: "+key+": ") {
			t.Errorf("line %d is %q, want it to be about %s", i, lines[i], key)
		}
	}
	if strings.Contains(stderr, secret) {
		t.Errorf("the output shows a secret:\n%s", stderr)
	}
}

// A key file is judged like a key, and it is the file that is named.
func TestCheckOfKeyFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command([]string{"check", "--store=memory://", "--publisher-key-file", file, "--publisher-alg=RS256"}, keys()[1:])
	if code != 2 || !strings.HasPrefix(stderr, "hubd: configuration: publisher-key-file: unusable key") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestAnUnknownAlgorithmIsNamedOnce(t *testing.T) {
	t.Parallel()
	_, _, stderr := command([]string{"check", "--store=memory://", "--publisher-alg=none"}, keys())
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "hubd: configuration: publisher-alg: ") {
		t.Errorf("stderr is %q, want one line about publisher-alg", stderr)
	}
}

// A store that a running hub holds is as it should be.
func TestCheckOfAStoreInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	log, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	code, stdout, stderr := command([]string{"check", "--store=bolt://" + path}, keys())
	if code != 0 || !strings.Contains(stdout, "is valid") || !strings.Contains(stderr, "hubd: note: store: bolt://"+path+" is in use") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	problems := config.Problems{{Key: "a", Text: "is wrong"}, {Key: "b", Text: "is\nworse"}}
	tests := map[string]struct {
		err    error
		code   int
		stderr string
	}{
		"nothing":          {nil, 0, ""},
		"failure":          {errors.New("listen: in use"), 1, "hubd: listen: in use\n"},
		"joined":           {errors.Join(errors.New("one"), errors.New("two")), 1, "hubd: one; two\n"},
		"usage":            {fmt.Errorf("wrapped: %w", &usageError{errors.New("no")}), 2, "hubd: wrapped: no; see hubd --help\n"},
		"problems":         {problems, 2, "hubd: configuration: a: is wrong\nhubd: configuration: b: is; worse\n"},
		"wrapped problems": {fmt.Errorf("wrapped: %w", problems), 2, "hubd: configuration: a: is wrong\nhubd: configuration: b: is; worse\n"},
	}
	for name, test := range tests {
		var stderr bytes.Buffer
		if code := report(test.err, &stderr); code != test.code || stderr.String() != test.stderr {
			t.Errorf("%s: exit code %d, stderr %q; want %d, %q", name, code, stderr.String(), test.code, test.stderr)
		}
	}
}

func TestVersionLine(t *testing.T) {
	t.Parallel()
	built := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	checkout := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}}
	for want, got := range map[string]string{
		"hubd unknown, commit unknown,":   versionLine("", "", nil),
		"hubd (devel), commit abc-dirty,": versionLine("", "", checkout),
		"hubd v1.2.3, commit def,":        versionLine("v1.2.3", "def", checkout),
		"hubd v1.0.0, commit unknown,":    versionLine("", "", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}),
	} {
		if got != want+built {
			t.Errorf("version is %q, want %q", got, want+built)
		}
	}
}

// The exit codes of run are those of the process.
func TestBinary(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{0: {"version"}, 2: {"check", "--protocol=3"}} {
		process := exec.Command(hubtest.Binary(t), args...)
		process.Env = []string{}
		var stderr bytes.Buffer
		process.Stderr = &stderr
		_ = process.Run()
		if code := process.ProcessState.ExitCode(); code != want {
			t.Errorf("hubd %q exits with %d, want %d: %s", args, code, want, stderr.String())
		}
	}
}
