package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"holdfast/internal/testkit"
)

// composition holds the keys of docker-compose.yml that the tests read.
type composition struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       string            `yaml:"build"`
		User        string            `yaml:"user"`
		Entrypoint  []string          `yaml:"entrypoint"`
		Init        bool              `yaml:"init"`
		Command     any               `yaml:"command"`
		EnvFile     string            `yaml:"env_file"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Secrets     []string          `yaml:"secrets"`
		Volumes     []string          `yaml:"volumes"`
		DependsOn   any               `yaml:"depends_on"`
		Healthcheck any               `yaml:"healthcheck"`
		Restart     string            `yaml:"restart"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

func parseComposition(t *testing.T) composition {
	t.Helper()
	var c composition
	testkit.OK(t, yaml.NewDecoder(bytes.NewReader(testkit.Read(t, "../docker-compose.yml")), yaml.Strict()).Decode(&c))
	return c
}

func TestHouseComposeFileHoldsTogether(t *testing.T) {
	c := parseComposition(t)
	if got := slices.Sorted(func(yield func(string) bool) {
		for name := range c.Services {
			if !yield(name) {
				return
			}
		}
	}); !slices.Equal(got, []string{"gotosocial", "holdfast", "minio", "minio-setup", "postgres", "postgres-setup"}) {
		t.Errorf("services %v", got)
	}
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build == "") {
			t.Errorf("%s has image %q and build %q", name, s.Image, s.Build)
		}
		if _, tag, tagged := strings.Cut(s.Image, ":"); s.Image != "" && (!tagged || tag == "latest") {
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s: secret %s is not declared", name, secret)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if _, declared := c.Volumes[from]; !declared && !strings.HasPrefix(from, "./") {
				t.Errorf("%s: volume %s is not declared", name, from)
			}
			if _, err := os.Stat(filepath.Join("..", from)); strings.HasPrefix(from, "./") && err != nil &&
				from != "./"+c.Services["gotosocial"].EnvFile {
				t.Errorf("%s: %v", name, err)
			}
		}
		for key, value := range s.Environment {
			secret := strings.Contains(key, "PASSWORD") || strings.Contains(key, "SECRET")
			if secret && !strings.HasPrefix(value+"/", "/run/secrets/") {
				t.Errorf("%s: the file shows the value of %s", name, key)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to everybody", name, port)
			}
		}
	}
	for name, secret := range c.Secrets {
		if ignored := string(testkit.Read(t, "../.gitignore")); !strings.Contains(ignored, filepath.Dir(secret.File)) {
			t.Errorf("git does not ignore secret %s in %s", name, secret.File)
		}
	}
}

// Holdfast must see the storage at the path of the settings, and pg_dump must not
// be older than the server.
func TestHouseHoldfastSeesGoToSocialsFiles(t *testing.T) {
	c := parseComposition(t)
	settings := map[string]string{}
	for line := range strings.Lines(string(testkit.Read(t, "../compose/gotosocial.env.example"))) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		settings[key] = value
	}
	storage := settings["GTS_STORAGE_LOCAL_BASE_PATH"]
	ours, theirs := c.Services["holdfast"], c.Services["gotosocial"]
	if !slices.Contains(theirs.Volumes, "storage:"+storage) ||
		!slices.Contains(ours.Volumes, "storage:"+storage+":ro") {
		t.Errorf("storage %s is mounted as %v and %v", storage, theirs.Volumes, ours.Volumes)
	}
	if !slices.Contains(ours.Volumes, "./"+theirs.EnvFile+":/etc/gotosocial.env:ro") {
		t.Errorf("the settings %s are not mounted: %v", theirs.EnvFile, ours.Volumes)
	}
	if ours.User != theirs.User {
		t.Errorf("users %q and %q", ours.User, theirs.User)
	}
	if settings["GTS_DB_ADDRESS"] != "postgres" {
		t.Errorf("GoToSocial looks for the database at %s", settings["GTS_DB_ADDRESS"])
	}
	stages := dockerfile(t)
	if last := stages[len(stages)-1]; last.from != c.Services["postgres"].Image {
		t.Errorf("the image is built on %s, the server is %s", last.from, c.Services["postgres"].Image)
	}
}

// The passwords that may do everything stay with the servers and the services that set
// the servers up.
func TestHouseRootPasswordsStayWithTheSetUp(t *testing.T) {
	c := parseComposition(t)
	for secret, want := range map[string][]string{
		"minio-root-password": {"minio", "minio-setup"}, "postgres-password": {"postgres", "postgres-setup"},
	} {
		var got []string
		for name, s := range c.Services {
			if slices.Contains(s.Secrets, secret) {
				got = append(got, name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("the services %v have %s, want %v", got, secret, want)
		}
		server, setUp := c.Services[want[0]], c.Services[want[1]]
		if len(setUp.Entrypoint) != 2 || !slices.Contains(setUp.Volumes,
			"./compose/"+want[0]+".sh:"+setUp.Entrypoint[1]+":ro") {
			t.Errorf("%s runs %v of %v", want[1], setUp.Entrypoint, setUp.Volumes)
		}
		if server.Environment["MINIO_ROOT_USER"] != setUp.Environment["MINIO_ROOT_USER"] {
			t.Errorf("%s and %s have different root users", want[0], want[1])
		}
	}
	if server, setUp := c.Services["postgres"], c.Services["postgres-setup"]; server.Image != setUp.Image {
		t.Errorf("the server is %s, its client is %s", server.Image, setUp.Image)
	}
}

// stage is a build stage of a Dockerfile.
type stage struct {
	from, name   string
	instructions [][2]string
}

// dockerfile parses the Dockerfile, which has one instruction per line.
func dockerfile(t *testing.T) (stages []stage) {
	t.Helper()
	for line := range strings.Lines(string(testkit.Read(t, "../Dockerfile"))) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			from, name, _ := strings.Cut(rest, " AS ")
			stages = append(stages, stage{from: from, name: name})
			continue
		}
		if len(stages) == 0 {
			t.Fatalf("%s before FROM", word)
		}
		last := &stages[len(stages)-1]
		last.instructions = append(last.instructions, [2]string{word, rest})
	}
	return stages
}

func TestHouseDockerfileBuildsWhatIsHere(t *testing.T) {
	stages := dockerfile(t)
	earlier := map[string]bool{}
	text := string(testkit.Read(t, "../Dockerfile"))
	for _, s := range stages {
		for _, i := range s.instructions {
			switch i[0] {
			case "COPY":
				from, rest, staged := strings.Cut(strings.TrimPrefix(i[1], "--from="), " ")
				if strings.HasPrefix(i[1], "--from=") {
					if !staged || !earlier[from] {
						t.Errorf("COPY %s: no such stage", i[1])
					}
					continue
				}
				words := strings.Fields(from + " " + rest)
				for _, path := range words[:len(words)-1] {
					if _, err := os.Stat(filepath.Join("..", path)); err != nil {
						t.Errorf("COPY: %v", err)
					}
				}
			case "RUN", "WORKDIR", "ENV", "VOLUME", "USER", "ENTRYPOINT":
			default:
				t.Errorf("instruction %s", i[0])
			}
		}
		earlier[s.name] = true
	}
	version := goVersion(t)
	if !strings.Contains(text, "golang:"+version) {
		t.Errorf("the Dockerfile builds with another Go than %s", version)
	}
	if last := stages[len(stages)-1]; !slices.Contains(last.instructions, [2]string{"USER", "1000:1000"}) {
		t.Error("it runs as root")
	}
}

// goVersion returns the Go version of go.mod without its last number.
func goVersion(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(string(testkit.Read(t, "../go.mod"))) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "go "); found {
			return version[:strings.LastIndex(version, ".")]
		}
	}
	t.Fatal("go.mod names no version")
	return ""
}

// workflow is .github/workflows/ci.yml, as far as it is asked.
type workflow struct {
	Jobs map[string]struct {
		Steps []struct {
			Uses string            `yaml:"uses"`
			Run  string            `yaml:"run"`
			With map[string]string `yaml:"with"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

func TestHouseWorkflowCallsTheScript(t *testing.T) {
	var w workflow
	testkit.OK(t, yaml.Unmarshal(testkit.Read(t, "../.github/workflows/ci.yml"), &w))
	makefile := string(testkit.Read(t, "../Makefile"))
	var runs []string
	for name, job := range w.Jobs {
		version := ""
		for _, step := range job.Steps {
			runs = append(runs, step.Run)
			if strings.HasPrefix(step.Uses, "actions/setup-go@") {
				version = step.With["go-version-file"]
			}
			target, made := strings.CutPrefix(step.Run, "make ")
			if made && !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%s: the Makefile has no target %s", name, target)
			}
		}
		if version != "go.mod" {
			t.Errorf("%s takes the version of Go from %q, not from go.mod", name, version)
		}
	}
	if !slices.Contains(runs, ".ci/run") {
		t.Errorf("no job calls .ci/run: %q", runs)
	}
}
