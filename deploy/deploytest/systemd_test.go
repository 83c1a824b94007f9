package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// exposure is the most of systemd's points for what a service could do to the machine, times ten; 100 is no sandbox.
const exposure = "--threshold=15"

// units writes the units into a directory in the names that they are started by, with a program that is there.
func units(t *testing.T, edits ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatalf("%v; scripts/test-deps.sh installs it", err)
	}
	dir := t.TempDir()
	var paths []string
	for _, u := range [...]struct{ file, name, program string }{
		{"hubd.service", "hubd.service", "/usr/local/bin/hubd"}, {"hubd@.service", "hubd@blue.service", "/usr/local/bin/hubd-%i"}, {"hubd.socket", "hubd.socket", ""},
	} {
		text := shipped(t, "systemd/"+u.file)
		if u.program != "" {
			text = edit(t, text, append([]string{u.program + " ", "/bin/true "}, edits...)...)
		}
		path := filepath.Join(dir, u.name)
		write(t, path, text)
		paths = append(paths, path)
	}
	return paths
}

// systemd understands every line of the units, and they leave the service little of the machine.
func TestUnitsAreValid(t *testing.T) {
	t.Parallel()
	verify := func(paths []string) (string, error) {
		return run(t, "", "systemd-analyze", append([]string{"verify"}, paths...)...)
	}
	paths := units(t)
	if out, err := verify(paths); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for _, service := range paths[:2] {
		if out, err := run(t, "", "systemd-analyze", "security", "--offline=true", "--no-pager", exposure, service); err != nil {
			t.Errorf("the sandbox: %v\n%s", err, out)
		}
	}
	for _, m := range [][2]string{{"ProtectHome=yes", "ProtectHoem=yes"}, {"Type=notify", "Type=notifies"}, {"LimitNOFILE=200000", "LimitNOFILE=many"}} {
		if out, err := verify(units(t, m[0], m[1])); err == nil && strings.TrimSpace(out) == "" {
			t.Errorf("units with %q are taken", m[1])
		}
	}
	open := units(t, "ProtectSystem=strict", "", "SystemCallFilter=@system-service", "")
	if out, err := run(t, "", "systemd-analyze", "security", "--offline=true", "--no-pager", exposure, open[0]); err == nil {
		t.Errorf("a wider sandbox passes:\n%s", out)
	}
}

// Both services are the same but for their names: what one is allowed, the other is.
func TestUnitsAreAlike(t *testing.T) {
	t.Parallel()
	part := func(file string) string {
		_, text, _ := strings.Cut(shipped(t, "systemd/"+file), "[Service]")
		return strings.ReplaceAll(text, "hubd-%i ", "hubd ")
	}
	if part("hubd.service") != part("hubd@.service") {
		t.Error("the [Service] of hubd.service and of hubd@.service differ")
	}
}

// The configuration beside the units is one that the hub takes.
func TestConfigurationOfTheUnits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "publisher.key"), strings.Repeat("p", 64)+"\n")
	write(t, filepath.Join(dir, "subscriber.key"), strings.Repeat("s", 64)+"\n")
	text := edit(t, shipped(t, "systemd/hubd.yaml"), "/etc/hubd/", dir+"/", "/var/lib/hubd/", dir+"/")
	file := filepath.Join(dir, "hubd.yaml")
	check := func() (string, error) {
		write(t, file, text)
		return run(t, "", hubtest.Binary(t), "check", "--config", file)
	}
	if out, err := check(); err != nil {
		t.Errorf("hubd check: %v\n%s", err, out)
	}
	text = edit(t, text, "public-url:", "public-uri:")
	if out, err := check(); err == nil {
		t.Errorf("a misspelt key is taken: %s", out)
	}
	_ = os.Remove(file)
}
