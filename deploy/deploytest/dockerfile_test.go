package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one of a Dockerfile, with its text.
type instruction struct{ name, text string }

// instructions reads a Dockerfile: comments fall away, lines that end with a backslash go on.
func instructions(text string) (all []instruction) {
	joined := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if rest, more := strings.CutSuffix(line, `\`); more {
			joined += rest + " "
			continue
		}
		name, rest, _ := strings.Cut(joined+line, " ")
		all = append(all, instruction{strings.ToUpper(name), strings.TrimSpace(rest)})
		joined = ""
	}
	return all
}

// lastStage returns the instructions of the last stage.
func lastStage(all []instruction) []instruction {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].name == "FROM" {
			return all[i:]
		}
	}
	return nil
}

// values returns the texts of the instructions of a name.
func values(all []instruction, name string) (texts []string) {
	for _, i := range all {
		if i.name == name {
			texts = append(texts, i.text)
		}
	}
	return texts
}

// words returns the words of an instruction in the form of a JSON list, which needs no shell.
func words(text string) ([]string, error) {
	_, list, found := strings.Cut(text, "[")
	if !found {
		return nil, fmt.Errorf("%s takes a shell, which the image does not have", text)
	}
	var all []string
	err := json.Unmarshal([]byte("["+list), &all)
	return all, err
}

var (
	tagged = regexp.MustCompile(`:[0-9]`)
	staged = regexp.MustCompile(` AS (\w+)$`)
)

// lint returns what is wrong with a Dockerfile whose context is the directory.
func lint(text, context string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	all := instructions(text)
	var stages []string
	for _, i := range all {
		switch i.name {
		case "FROM":
			if i.text != "scratch" && !tagged.MatchString(i.text) {
				say("FROM %s has no version", i.text)
			}
			if m := staged.FindStringSubmatch(i.text); m != nil {
				stages = append(stages, m[1])
			}
		case "ADD":
			say("ADD %s: COPY does what it says", i.text)
		case "COPY":
			paths := strings.Fields(i.text)
			from := ""
			for strings.HasPrefix(paths[0], "--") {
				if stage, found := strings.CutPrefix(paths[0], "--from="); found {
					from = stage
				}
				paths = paths[1:]
			}
			if from != "" && !slices.Contains(stages, from) {
				say("COPY from the stage %s, which there is not", from)
			}
			for _, source := range paths[:len(paths)-1] {
				if _, err := os.Stat(filepath.Join(context, source)); from == "" && err != nil {
					say("COPY %s: %v", source, err)
				}
			}
		case "ARG", "ENV":
			if regexp.MustCompile(`(?i)(_KEY|_TOKEN|PASSWORD|SECRET)=`).MatchString(i.text) {
				say("%s %s puts a secret into the image", i.name, i.text)
			}
		case "RUN", "WORKDIR", "USER", "EXPOSE", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD":
		default:
			say("%s is no instruction", i.name)
		}
	}
	final := lastStage(all)
	if user := values(final, "USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0]) {
		say("the user is %v, not the numbers of one without privileges", user)
	}
	for _, name := range []string{"ENTRYPOINT", "CMD", "HEALTHCHECK"} {
		texts := values(final, name)
		if len(texts) != 1 {
			say("there are %d instructions %s, want 1", len(texts), name)
			continue
		}
		if _, err := words(texts[0]); err != nil {
			say("%s: %v", name, err)
		}
	}
	for _, port := range values(final, "EXPOSE") {
		if !strings.Contains(strings.Join(values(final, "ENV"), " "), "HUBD_LISTEN=:"+port) {
			say("port %s is exposed, and HUBD_LISTEN is another", port)
		}
	}
	return wrong
}

func TestDockerfileFollowsItsRules(t *testing.T) {
	t.Parallel()
	root := filepath.Join(deployDir, "..")
	text := shipped(t, "docker/Dockerfile")
	if wrong := lint(text, root); len(wrong) > 0 {
		t.Errorf("the Dockerfile: %s", strings.Join(wrong, "; "))
	}
	for _, m := range [][2]string{
		{"golang:1.26-bookworm", "golang"}, {"USER 65532:65532", "USER root"}, {"USER 65532:65532\n", ""}, {"COPY . .", "ADD . ."},
		{"COPY go.mod go.sum", "COPY go.mod go.some"}, {"--from=build /out/hubd", "--from=built /out/hubd"},
		{`ENTRYPOINT ["/hubd"]`, "ENTRYPOINT /hubd"}, {"EXPOSE 3000", "EXPOSE 80"}, {"ENV HUBD_LISTEN", "ENV HUBD_PUBLISHER_KEY=a HUBD_LISTEN"},
		{"WORKDIR", "WORKDIRR"}, {`CMD ["serve"]`, "CMD serve"},
	} {
		if wrong := lint(edit(t, text, m[0], m[1]), root); len(wrong) == 0 {
			t.Errorf("a Dockerfile with %q instead of %q is taken", m[1], m[0])
		}
	}
}
