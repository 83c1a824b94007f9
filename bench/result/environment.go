package result

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Environment is where and with what a set of runs was made.
type Environment struct {
	Commit string `json:"commit"`
	// Modified tells that the work tree was not as the commit has it.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Memory   string `json:"memory"`
	Kernel   string `json:"kernel"`
	Store    string `json:"store"`
	Dialect  string `json:"dialect"`
	// HubFlags are what the hub was given besides addresses, store and keys.
	HubFlags []string `json:"hub_flags,omitempty"`
}

// ReadEnvironment describes this machine and the module at root. What cannot be found out is left empty:
// a figure is worth keeping without it.
func ReadEnvironment(ctx context.Context, root string) Environment {
	status := output(ctx, root, "git", "status", "--porcelain")
	return Environment{
		Commit:   output(ctx, root, "git", "rev-parse", "--short=12", "HEAD"),
		Modified: status != "",
		Go:       runtime.Version(),
		CPU:      fileField("/proc/cpuinfo", "model name"),
		Cores:    runtime.NumCPU(),
		Memory:   fileField("/proc/meminfo", "MemTotal"),
		Kernel:   output(ctx, root, "uname", "-sr"),
	}
}

func output(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// fileField returns the value of the first line "name : value" of a file.
func fileField(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
