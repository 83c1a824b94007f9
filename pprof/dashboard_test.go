package pprof

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/pprof/profile"
)

// hostile is the name of a function that would be markup, if it were taken for it.
const hostile = `x</script><img src=x onerror="document.title='broken'"><script>document.title='broken'</script>&amp;"'`

var fixed = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestThePageIsSelfContained(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	entries, err := fs.ReadDir(pageFiles, "pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := pagesPath + entry.Name()
		if entry.Name() == "index.html" {
			path = "/"
		}
		status, header, body := f.do(http.MethodGet, path, "")
		if status != http.StatusOK || header.Get("Content-Type") != mediaType(entry.Name()) {
			t.Errorf("%s is %d, %s", path, status, header.Get("Content-Type"))
		}
		policy := header.Get("Content-Security-Policy")
		if policy != pagePolicy || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s has headers %v", path, header)
		}
		// The names of the SVG vocabulary are addresses that nobody asks for.
		own := strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "")
		if found := regexp.MustCompile(`(?i)\bhttps?:|["'(]//|\bdata:|@import`).FindString(own); found != "" {
			t.Errorf("%s refers to somewhere else: %s", path, found)
		}
		// What the policy would not run, and what could turn text into markup.
		for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=", " onclick=\"", "<style"} {
			if strings.Contains(body, word) {
				t.Errorf("%s has %s", path, word)
			}
		}
	}
	if strings.Contains(pagePolicy, "unsafe") || !strings.Contains(pagePolicy, "default-src 'none'") || !strings.Contains(pagePolicy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %s", pagePolicy)
	}
	if status, _, _ := f.do(http.MethodGet, pagesPath+"../routes.go", ""); status != http.StatusNotFound {
		t.Errorf("a file that is no page is %d", status)
	}
}

func TestSamplesAreServed(t *testing.T) {
	t.Parallel()
	o := options()
	o.Recorder.fine.looks, o.Recorder.coarse.looks = fineLooks, coarseLooks
	for _, r := range looked(3, func(n int, r *reading) { r.Streams = int64(10 * n) }) {
		o.Recorder.fine.add(r)
	}
	status, header, body := start(t, o).do(http.MethodGet, "/dashboard/samples", "")
	var samples struct{ Fine, Coarse decoded }
	if err := json.Unmarshal([]byte(body), &samples); err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v: %v", status, header, err)
	}
	if got := samples.Fine.list(t, "streams"); len(got) != 2 || *got[0] != 10 || *got[1] != 20 {
		t.Errorf("streams are %s", samples.Fine.Series["streams"])
	}
	for q := range quantities {
		if samples.Fine.Series[q.String()] == nil || samples.Coarse.Series[q.String()] == nil {
			t.Errorf("%s is missing", q)
		}
	}
}

func TestSnapshotsAreTakenListedAndCompared(t *testing.T) {
	// Not parallel: the process has one CPU profile.
	f := start(t, options())
	f.profiles.after = func(time.Duration) <-chan time.Time { return time.After(0) }
	for _, kind := range []string{"heap", "goroutine", "cpu", "mutex", "block", "goroutine"} {
		if status, _, body := f.do(http.MethodPost, snapshotsPath+"?seconds=1&kind="+kind, ""); status != http.StatusOK || !strings.Contains(body, `"streams":3`) {
			t.Fatalf("%s: %d %s", kind, status, body)
		}
	}
	var list []snapshot
	if _, _, body := f.do(http.MethodGet, snapshotsPath, ""); json.Unmarshal([]byte(body), &list) != nil || len(list) != 6 || list[2].Kind != "cpu" || list[2].Seconds != 1 || list[0].Seconds != 0 {
		t.Fatalf("the list is %s", body)
	}
	for _, s := range list {
		_, header, body := f.do(http.MethodGet, fmt.Sprintf("/dashboard/snapshot?id=%d", s.ID), "")
		if _, err := profile.ParseData([]byte(body)); err != nil || len(body) != s.Bytes || !strings.Contains(header.Get("Content-Disposition"), s.Kind) {
			t.Errorf("snapshot %d: %v, %v", s.ID, err, header)
		}
		if status, _, body := f.do(http.MethodGet, fmt.Sprintf("/dashboard/compare?of=%d", s.ID), ""); status != http.StatusOK || !strings.Contains(body, `"flame":{"name":"all"`) {
			t.Errorf("showing %s: %d %s", s.Kind, status, body)
		}
	}
	for query, want := range map[string]int{
		"of=6&base=2":                http.StatusOK,
		"of=6&base=1":                http.StatusBadRequest, // of different kinds
		"of=1&measure=alloc_objects": http.StatusOK,
		"of=1&measure=none":          http.StatusBadRequest,
		"of=9":                       http.StatusNotFound,
		"of=1&base=9":                http.StatusNotFound,
		"of=1&base=x":                http.StatusNotFound,
		"":                           http.StatusNotFound,
	} {
		if status, _, body := f.do(http.MethodGet, "/dashboard/compare?"+query, ""); status != want {
			t.Errorf("%s is %d %s, want %d", query, status, body, want)
		}
	}
}

func TestSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	for query, want := range map[string]int{
		"":                    http.StatusBadRequest,
		"kind=cmdline":        http.StatusBadRequest,
		"kind=cpu&seconds=0":  http.StatusBadRequest,
		"kind=cpu&seconds=1h": http.StatusBadRequest,
	} {
		if status, _, body := f.do(http.MethodPost, snapshotsPath+"?"+query, ""); status != want {
			t.Errorf("%q is %d %s, want %d", query, status, body, want)
		}
	}
	if status, header, _ := f.do(http.MethodDelete, snapshotsPath, ""); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE is %d, Allow %q", status, header.Get("Allow"))
	}
	if status, _, body := f.do(http.MethodGet, "/dashboard/snapshot?id=1", ""); status != http.StatusNotFound || !strings.Contains(body, "no such snapshot") {
		t.Errorf("a snapshot that was never taken is %d %s", status, body)
	}
	// A page elsewhere can make a browser post, and browsers say so (Fetch Metadata, section 2.3).
	for site, want := range map[string]int{"cross-site": http.StatusForbidden, "same-site": http.StatusForbidden, "same-origin": http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.base+snapshotsPath+"?kind=goroutine", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Sec-Fetch-Site", site)
		response, err := f.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("from %s: %d, want %d", site, response.StatusCode, want)
		}
	}
}

// A browser shows the names of functions as text, in the table and in the flame graph, and nothing offends the policy.
func TestNamesAreTextInTheBrowser(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs Chromium; make test installs it: %v", err)
	}
	o := options()
	d := &dashboard{recorder: o.Recorder, profiles: &profiles{}}
	d.snapshots.kept = []*snapshot{made(t, 1, stack{1, []string{hostile, "main"}}), made(t, 2, stack{9, []string{hostile, "main"}})}
	d.snapshots.last = 2
	handler, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for at, handle := range d.routes() {
		handler[at] = handle
	}
	handler["/readyz"] = handler["/dashboard/samples"]
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.server.Handler = s.handler(handler)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})

	settings := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), settings...)
	defer stop()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	wait := func(expression string) {
		t.Helper()
		limited, done := context.WithTimeout(ctx, time.Minute)
		defer done()
		if err := chromedp.Do(limited, chromedp.Poll[chromedp.Void](expression)); err != nil {
			t.Fatalf("waiting for %s: %v", expression, err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+s.Addr().String()+"/")); err != nil {
		t.Fatal(err)
	}
	wait(`document.querySelectorAll("#snapshots tbody tr").length === 2`)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#snapshots button")].find(b => b.textContent === "Compare").click()`)); err != nil {
		t.Fatal(err)
	}
	wait(`document.querySelectorAll("#functions tbody tr").length === 2`)
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	wait(fmt.Sprintf(`[...document.querySelectorAll("#functions td.name")].some(e => e.firstChild.data === %s)`, name))
	wait(fmt.Sprintf(`[...document.querySelectorAll("#flame title")].some(e => e.textContent.startsWith(%s))`, name))
	wait(`document.title === "hubd admin" && document.querySelectorAll("#profiles img, #profiles script").length === 0`)
	wait(`document.querySelectorAll("#functions td.more").length > 0`)
	// What has grown can be drawn alone, and a call be enlarged and left again.
	const press = `document.getElementById("growth").click();
		[...document.querySelectorAll("#flame g")].find(e => e.textContent.startsWith("main:")).dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}))`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](press)); err != nil {
		t.Fatal(err)
	}
	wait(`!document.getElementById("whole").hidden && document.getElementById("detail").textContent === "main: 9, 100.0% of all, +8 since the earlier snapshot"`)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`document.getElementById("whole").click()`)); err != nil {
		t.Fatal(err)
	}
	wait(`document.getElementById("whole").hidden && document.querySelectorAll("#flame rect").length === 3`)
}
