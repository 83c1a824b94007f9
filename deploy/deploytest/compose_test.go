package deploytest

import (
	"path/filepath"
	"testing"
)

// The compose file and the stack are what the Compose Specification defines, and copies with a mistake are not.
func TestComposeFilesAreValid(t *testing.T) {
	t.Parallel()
	compose := tool(t, "DEPLOY_COMPOSE")
	for folder, c := range map[string]struct {
		file     string
		mistakes [][2]string
	}{
		"compose": {"compose.yaml", [][2]string{{"stop_grace_period:", "stop_grace:"}, {"- store:/data", "- [store]"}, {"read_only: true", "read_only: perhaps"}}},
		"swarm":   {"stack.yaml", [][2]string{{"order: start-first", "order: [start-first]"}, {"condition: on-failure", "conditions: on-failure"}, {"replicas: 1", "replicas: one"}}},
	} {
		if out, err := run(t, "", compose, filepath.Join(deployDir, folder, c.file)); err != nil {
			t.Errorf("%s: %v\n%s", c.file, err, out)
		}
		for _, m := range c.mistakes {
			broken := filepath.Join(t.TempDir(), c.file)
			write(t, broken, edit(t, shipped(t, folder+"/"+c.file), m[0], m[1]))
			if out, err := run(t, "", compose, broken); err == nil {
				t.Errorf("%s with %q is taken:\n%s", c.file, m[1], out)
			}
		}
	}
}

// A hub that hands over exits with 0, so it may only be started again where it failed; and there may be one.
func TestStackLetsTheHubHandOver(t *testing.T) {
	t.Parallel()
	deploy := at(t, manifests(t, "swarm/stack.yaml")[0], "services", "hub", "deploy")
	for want, path := range map[any][]any{
		"start-first": {"update_config", "order"},
		"on-failure":  {"restart_policy", "condition"},
		1:             {"replicas"},
	} {
		if got := at(t, deploy, path...); got != want {
			t.Errorf("%v is %v, want %v", path, got, want)
		}
	}
}
