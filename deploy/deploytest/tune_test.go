package deploytest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tune is what scripts/tune.sh says of a machine, and its exit status.
func tune(t *testing.T, files string, machine map[string]string, arguments ...string) (string, int) {
	t.Helper()
	proc := t.TempDir()
	for path, text := range machine {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(proc, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(proc, path), text+"\n")
	}
	c := exec.Command("bash", append([]string{"-c", `ulimit -n "$0" && exec "$@"`, files, filepath.Join(deployDir, "..", "scripts", "tune.sh")}, arguments...)...)
	c.Env = append(os.Environ(), "TUNE_PROC="+proc, "TUNE_CGROUP="+filepath.Join(proc, "cgroup"))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// machine is one for some 2,000 streams.
func machine(changes ...string) map[string]string {
	m := map[string]string{
		"sys/fs/nr_open": "1048576", "sys/fs/file-max": "100000", "sys/net/core/somaxconn": "4096", "sys/net/ipv4/tcp_max_syn_backlog": "1024",
		"sys/net/ipv4/ip_local_port_range": "32768 60999", "sys/net/ipv4/tcp_mem": "10000 20000 30000",
		"sys/net/netfilter/nf_conntrack_max": "65536", "meminfo": "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB", "cgroup/memory.max": "max",
	}
	for i := 0; i < len(changes); i += 2 {
		m[changes[i]] = changes[i+1]
	}
	return m
}

func TestTuneSaysWhetherStreamsFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files     string
		machine   map[string]string
		arguments []string
		// failing is the one limit that is too low; empty if all hold.
		failing string
		status  int
	}{
		"they fit":                 {"3000", machine(), []string{"2000"}, "", 0},
		"a proxy's, too":           {"5000", machine(), []string{"--proxy", "2000"}, "", 0},
		"descriptors":              {"2999", machine(), []string{"2000"}, "descriptors of a process", 1},
		"descriptors of a proxy":   {"4999", machine(), []string{"2000", "--proxy"}, "descriptors of a process", 1},
		"all descriptors":          {"3000", machine("sys/fs/file-max", "12999"), []string{"2000"}, "fs.file-max", 1},
		"the most of descriptors":  {"3000", machine("sys/fs/nr_open", "2999"), []string{"2000"}, "fs.nr_open", 1},
		"backlog":                  {"3000", machine("sys/net/core/somaxconn", "128"), []string{"2000"}, "net.core.somaxconn", 1},
		"requests for connections": {"3000", machine("sys/net/ipv4/tcp_max_syn_backlog", "512"), []string{"2000"}, "net.ipv4.tcp_max_syn_backlog", 1},
		"ports":                    {"5000", machine("sys/net/ipv4/ip_local_port_range", "32768 35000"), []string{"--proxy", "2000"}, "ports towards the hub", 1},
		"ports without a proxy":    {"3000", machine("sys/net/ipv4/ip_local_port_range", "32768 35000"), []string{"2000"}, "", 0},
		"tracked connections":      {"3000", machine("sys/net/netfilter/nf_conntrack_max", "11999"), []string{"2000"}, "nf_conntrack_max", 1},
		"socket buffers":           {"3000", machine("sys/net/ipv4/tcp_mem", "100 1999 3000"), []string{"2000"}, "tcp_mem", 1},
		"memory":                   {"3000", machine("meminfo", "MemAvailable: 262144 kB"), []string{"2000"}, "memory available", 1},
		"memory of a container":    {"3000", machine("cgroup/memory.max", "268435456"), []string{"2000"}, "memory of this control group", 1},
		"a kernel that says less":  {"3000", nil, []string{"2000"}, "", 0},
	} {
		out, status := tune(t, c.files, c.machine, c.arguments...)
		if status != c.status {
			t.Errorf("%s: exit status %d, want %d:\n%s", name, status, c.status, out)
		}
		if n := strings.Count(out, "FAIL"); n != c.status || !failed(c.failing).MatchString(out) {
			t.Errorf("%s: %d limits fail, want %q:\n%s", name, n, c.failing, out)
		}
	}
}

// failed matches a line that says that the limit is too low, and anything where there is none.
func failed(limit string) *regexp.Regexp {
	if limit == "" {
		return regexp.MustCompile("")
	}
	return regexp.MustCompile("(?m)^FAIL .*" + regexp.QuoteMeta(limit))
}

func TestTuneOnThisMachine(t *testing.T) {
	t.Parallel()
	script := filepath.Join(deployDir, "..", "scripts", "tune.sh")
	if out, err := run(t, "", script, "1"); err != nil {
		t.Errorf("one stream does not fit: %v\n%s", err, out)
	}
	out, err := run(t, "", script, "999999999")
	if err == nil || !strings.Contains(out, "LimitNOFILE=") || !strings.Contains(out, "do not fit") {
		t.Errorf("a billion streams fit (%v):\n%s", err, out)
	}
	for _, wrong := range [][]string{{"many"}, {"0"}, {"1", "2"}, {"--help"}, {"-5"}, {"12345678901"}} {
		c := exec.Command(script, wrong...)
		if out, _ := c.CombinedOutput(); c.ProcessState.ExitCode() != 2 {
			t.Errorf("tune.sh %v: exit status %d:\n%s", wrong, c.ProcessState.ExitCode(), out)
		}
	}
}

// The shell's own checks take the script, and not one with mistakes.
func TestTuneIsCleanShell(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Fatalf("%v; scripts/test-deps.sh installs it", err)
	}
	text, err := os.ReadFile(filepath.Join(deployDir, "..", "scripts", "tune.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, string(text), "shellcheck", "-"); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
	if out, err := run(t, string(text), "bash", "-n"); err != nil {
		t.Errorf("bash -n: %v\n%s", err, out)
	}
	if _, err := run(t, edit(t, string(text), `"$proc/meminfo"`, "$proc/meminfo"), "shellcheck", "-"); err == nil {
		t.Error("shellcheck takes a path without quotes")
	}
	if _, err := run(t, string(text)+"\nif true; then\n", "bash", "-n"); err == nil {
		t.Error("bash takes half an if")
	}
}
