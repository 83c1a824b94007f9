package js

import (
	"embed"
	"io/fs"
)

//go:embed index.js worker.js src/*.js
var files embed.FS

// Files returns the modules of the client as they are, to be served together below one path of the pages' own origin.
// The entry is index.js.
func Files() fs.FS { return files }
