// Command configdoc prints the reference page of the settings, docs/configuration.md.
package main

import (
	"fmt"
	"os"

	"hubd/config"
)

func main() {
	if _, err := fmt.Print(config.Reference()); err != nil {
		fmt.Fprintln(os.Stderr, "configdoc: print the reference page:", err)
		os.Exit(1)
	}
}
