//go:build !unix

package bolt

import "os"

// keepOwner does nothing: owners are not a matter of numbers here.
func keepOwner(*os.File, os.FileInfo) error { return nil }

// syncDir does nothing: a directory cannot be synced here.
func syncDir(string) error { return nil }
