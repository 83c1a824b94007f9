package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a tab waits for something that must happen before it calls it missing. It is no expectation
// of speed.
const patience = 60 * time.Second

// Tab is a tab of a browser. Its methods fail the test where the browser does not do as it is told.
type Tab struct {
	ctx   context.Context
	close context.CancelFunc
}

// Start starts a browser and returns its first tab.
func Start(t testing.TB) *Tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("these tests need Chromium; make test installs it: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return &Tab{ctx: ctx, close: cancel}
}

// Another opens another tab of the same browser. The browser ends with its first tab.
func (b *Tab) Another(t testing.TB) *Tab {
	t.Helper()
	return b.another(t)
}

// Private opens a tab that shares neither cookies nor workers with the others, as somebody else's browser.
func (b *Tab) Private(t testing.TB) *Tab {
	t.Helper()
	return b.another(t, chromedp.WithNewBrowserContext())
}

func (b *Tab) another(t testing.TB, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, options...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return &Tab{ctx: ctx, close: cancel}
}

// Close closes the tab.
func (b *Tab) Close() { b.close() }

// Open shows an address.
func (b *Tab) Open(t testing.TB, address string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("opening %s: %v", address, err)
	}
}

// Reload loads the page again.
func (b *Tab) Reload(t testing.TB) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Reload()); err != nil {
		t.Fatalf("reloading: %v", err)
	}
}

// Await waits until the expression is true in the page, or in the one that takes its place.
func (b *Tab) Await(t testing.TB, expression string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := chromedp.Do(b.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
		if err == nil {
			return
		}
		// A page that is left takes what was waited for in it along.
		if strings.Contains(err.Error(), "(-32000)") && time.Now().Before(deadline) {
			continue
		}
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
		t.Fatalf("waiting for %s: %v; the page says:\n%s", expression, err, text)
	}
}

// Text returns what the expression, or what it promises, says in the page.
func (b *Tab) Text(t testing.TB, expression string) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("(async () => String(await ("+expression+")))()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// Do runs statements in the page.
func (b *Tab) Do(t testing.TB, statements string) {
	t.Helper()
	b.Text(t, "(async () => {"+statements+"})()")
}

// Fill writes into a field as a user does.
func (b *Tab) Fill(t testing.TB, selector, value string) {
	t.Helper()
	b.Do(t, fmt.Sprintf(`const field = document.querySelector(%q);
		field.focus();
		field.value = %q;
		for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, {bubbles: true}));`, selector, value))
}

// Click presses what can be seen and is not covered.
func (b *Tab) Click(t testing.TB, selector string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Click(selector)); err != nil {
		t.Fatalf("clicking %s: %v", selector, err)
	}
}

// Command sends a command of the DevTools protocol to the tab.
func (b *Tab) Command(t testing.TB, method string, parameters map[string]any) {
	t.Helper()
	if err := chromedp.FromContext(b.ctx).Target.Call(b.ctx, method, parameters, nil); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// KillWorker ends the shared worker of the script, as running out of memory does.
func (b *Tab) KillWorker(t testing.TB, script string) {
	t.Helper()
	targets, err := chromedp.Targets(b.ctx)
	if err != nil {
		t.Fatalf("listing targets: %v", err)
	}
	for _, target := range targets {
		if target.Type != "shared_worker" || !strings.HasSuffix(target.URL, script) {
			continue
		}
		if err := chromedp.FromContext(b.ctx).Browser.Call(b.ctx, "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil); err != nil {
			t.Fatalf("ending the worker: %v", err)
		}
		return
	}
	t.Fatalf("no shared worker runs %s", script)
}

// Crash ends the process of the tab's page without a chance to say goodbye.
func (b *Tab) Crash(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	// The command is never answered: the page that would is gone.
	if err := chromedp.FromContext(b.ctx).Target.Call(ctx, "Page.crash", map[string]any{}, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Logf("crashing the page: %v", err)
	}
}

// Picture writes what the tab shows, width by height, as a PNG file. It is for people to look at.
func (b *Tab) Picture(t testing.TB, file string, width, height int64, dark bool) {
	t.Helper()
	scheme := map[bool]string{false: "light", true: "dark"}[dark]
	b.Command(t, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatalf("resizing: %v", err)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("taking a picture: %v", err)
	}
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
