package js

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModules runs the client's own tests, which need Node and no browser.
func TestModules(t *testing.T) {
	t.Parallel()
	command(t, ".", "node", "--test", "--test-timeout=120000")
}

// TestTypes lets the TypeScript compiler check the client against its declarations, and every piece of code that
// README.md and docs/javascript.md show.
func TestTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	module := filepath.Join(dir, "node_modules", "@hubd", "client")
	if err := os.MkdirAll(filepath.Dir(module), 0o700); err != nil {
		t.Fatal(err)
	}
	copyModule(t, module)
	command(t, module, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	compiler := filepath.Join(module, "node_modules", ".bin", "tsc")
	command(t, module, compiler, "-p", ".")

	snippets := 0
	for _, page := range []string{"README.md", filepath.Join("..", "..", "docs", "javascript.md")} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile("(?s)\n```js\n(.*?)```").FindAllSubmatch(text, -1) {
			snippets++
			// Each is a module of its own; what the pages leave to the application is declared.
			code := fmt.Sprintf("// %s\n%s\nexport {};\n", filepath.Base(page), found[1])
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("snippet%d.ts", snippets)), []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if snippets < 8 {
		t.Fatalf("found %d pieces of code in the pages", snippets)
	}
	for name, text := range map[string]string{
		"package.json":     `{"type": "module"}`,
		"application.d.ts": "declare function show(text: string): void;\ndeclare function load(): Promise<void>;\ndeclare const hub: string;\ndeclare const user: { id: string };\n",
		"tsconfig.json": `{"compilerOptions": {"strict": true, "noEmit": true, "target": "ES2023", "lib": ["ES2023", "DOM", "DOM.Iterable"],
			"module": "NodeNext", "types": [], "noImplicitAny": false}, "include": ["*.ts"]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, dir, compiler, "-p", ".")
}

// copyModule copies what the compiler looks at.
func copyModule(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o700)
		case strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs Node and npm; make test installs them: %v", err)
	}
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
