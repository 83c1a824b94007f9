package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The modules that need no page are tested by Node, which "make test" installs.
func TestModules(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("this test needs Node; make test installs it: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join("testdata", "modules.test.js"))
	if err != nil {
		t.Fatal(err)
	}
	// Node takes a file for a module if the package next to it says so.
	for name, text := range map[string][]byte{"package.json": []byte(`{"type": "module"}`), "modules.test.js": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), node, "--test", "modules.test.js")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
