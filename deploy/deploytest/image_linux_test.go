package deploytest

import (
	"debug/elf"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hubd/internal/hubtest"
)

// image is what the Dockerfile makes, as a directory.
type image struct {
	root    string
	uid     int
	env     []string
	start   []string
	healthy []string
	address string
}

// buildImage runs the build of the Dockerfile and copies what its last stage copies.
func buildImage(t *testing.T) *image {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a root directory and a user of its own take root")
	}
	all := instructions(shipped(t, "docker/Dockerfile"))
	final := lastStage(all)
	root, err := os.MkdirTemp("", "hubd-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &image{root: root, address: "127.0.0.1:" + freePort(t)}
	user, _, _ := strings.Cut(values(final, "USER")[0], ":")
	if m.uid, err = strconv.Atoi(user); err != nil {
		t.Fatal(err)
	}
	build := ""
	for _, line := range values(all, "RUN") {
		if strings.Contains(line, "go build") {
			build = edit(t, line, "/out/hubd", filepath.Join(root, "hubd"))
		}
	}
	c := exec.Command("sh", "-c", build)
	c.Dir, c.Env = filepath.Join(deployDir, ".."), append(os.Environ(), "TARGETOS=linux", "VERSION=a-version", "COMMIT=a-commit")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	for _, line := range values(final, "COPY") {
		m.copy(t, line)
	}
	for _, line := range values(final, "ENV") {
		m.env = append(m.env, strings.Fields(line)...)
	}
	m.env = append(m.env, "HUBD_LISTEN="+m.address, "HUBD_ADMIN_LISTEN=", "HUBD_PUBLISHER_KEY="+hubtest.Secret, "HUBD_SUBSCRIBER_KEY="+hubtest.Secret)
	m.start = append(must(t, values(final, "ENTRYPOINT")[0]), must(t, values(final, "CMD")[0])...)
	for _, word := range must(t, values(final, "HEALTHCHECK")[0]) {
		m.healthy = append(m.healthy, strings.Replace(word, "127.0.0.1:3000", m.address, 1))
	}
	return m
}

func must(t *testing.T, text string) []string {
	t.Helper()
	all, err := words(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var copied = regexp.MustCompile(`^--from=build (?:--chown=(\d+):\d+ )?(\S+) (\S+)$`)

// copy does what a COPY of the last stage does: the program is built there, the others are this machine's.
func (m *image) copy(t *testing.T, line string) {
	t.Helper()
	parts := copied.FindStringSubmatch(line)
	if parts == nil {
		t.Fatalf("COPY %s is nothing that this test knows", line)
	}
	to := filepath.Join(m.root, parts[3])
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	switch parts[2] {
	case "/out/hubd":
	case "/out/data":
		owner, _ := strconv.Atoi(parts[1])
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(to, owner, owner); err != nil {
			t.Fatal(err)
		}
	default:
		text, err := os.ReadFile(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, string(text))
	}
}

// command runs in the image: with no other files, as its user, with its environment and no other.
func (m *image) command(arguments []string) *exec.Cmd {
	return &exec.Cmd{
		Path: arguments[0], Args: arguments, Dir: "/", Env: m.env,
		SysProcAttr: &syscall.SysProcAttr{Chroot: m.root, Credential: &syscall.Credential{Uid: uint32(m.uid), Gid: uint32(m.uid)}},
	}
}

// The program of the image needs nothing but what is copied: it serves, keeps its store in the volume, is healthy by its own
// health check, stops on the stop signal, and goes on where it was.
func TestImageServes(t *testing.T) {
	t.Parallel()
	m := buildImage(t)
	program, err := elf.Open(filepath.Join(m.root, "hubd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}
	_ = program.Close()
	if out, err := m.command([]string{"/hubd", "version"}).CombinedOutput(); err != nil || !strings.Contains(string(out), "a-version") || !strings.Contains(string(out), "a-commit") {
		t.Errorf("the program's version: %v, %s", err, out)
	}
	if out, err := m.command(m.healthy).CombinedOutput(); err == nil {
		t.Errorf("without a hub the health check says: %s", out)
	}
	hub := "http://" + m.address + "/.well-known/mercure"
	token := "Bearer " + hubtest.Token(t, []string{"*"}, []string{"*"})
	for _, data := range []string{"before", "after"} {
		c := m.command(m.start)
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill() })
		log := awaitLine(t, stderr, "serving")
		if out, err := m.command(m.healthy).CombinedOutput(); err != nil {
			t.Errorf("the health check of a hub that serves: %v\n%s\n%s", err, out, log())
		}
		form := url.Values{"topic": {topic}, "data": {data}}
		if a := hubtest.Do(t, http.MethodPost, hub, form.Encode(), "Authorization", token); a.Status != http.StatusOK {
			t.Errorf("publishing: status %d: %s", a.Status, a.Body)
		}
		if data == "after" {
			f := follow(t, http.DefaultClient, hub+"?lastEventID=earliest&authorization="+hubtest.Token(t, nil, []string{"*"})+"&topic="+url.QueryEscape(topic))
			f.expect(t, "before")
			f.expect(t, "after")
			f.close()
			http.DefaultClient.CloseIdleConnections()
		}
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("the hub ended: %v\n%s", err, log())
		}
	}
	info, err := os.Stat(filepath.Join(m.root, "data", "hub.db"))
	if err != nil {
		t.Fatalf("the store is not in the volume: %v", err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uint32(m.uid) {
		t.Errorf("the store is user %d's", owner)
	}

	// In a volume of somebody else's the hub cannot start: the owner that the image gives it is needed.
	if err := os.Chown(filepath.Join(m.root, "data"), 0, 0); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(m.root, "data", "hub.db"))
	if out, err := m.command(m.start).CombinedOutput(); err == nil {
		t.Errorf("the hub stopped cleanly where it cannot write:\n%s", out)
	} else if !strings.Contains(fmt.Sprint(string(out)), "permission denied") {
		t.Errorf("where it cannot write the hub says: %s", out)
	}
}
