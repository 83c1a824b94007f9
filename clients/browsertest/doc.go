// Package browsertest shows pages to a real browser, for the tests of the client and of the examples: a headless
// Chromium for each test, with tabs that share its workers, cookies and storage as a user's do.
//
// A browser and its goroutines end with the test that started them.
package browsertest
