// Package chromium looks at pages in a real Chromium, for tests: what is built does
// not import it.
package chromium
