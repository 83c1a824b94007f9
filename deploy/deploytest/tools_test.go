package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool returns the path of what "make deploy-check" has built and names in the environment.
func tool(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("make deploy-check sets %s and runs this", variable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program with a text as its input.
func run(t testing.TB, input string, program string, arguments ...string) (output string, err error) {
	t.Helper()
	c := exec.Command(program, arguments...)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	return string(out), err
}

// copyTree copies a folder of deploy, so that the copy can be broken.
func copyTree(t testing.TB, folder string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(deployDir, folder))); err != nil {
		t.Fatal(err)
	}
	return dir
}
