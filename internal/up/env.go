package up

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/remedy"
)

// EnvFile is the name of the file with the settings for other commands.
const EnvFile = "wso2agent.env"

// envHead begins the file. A file that begins otherwise is somebody else's.
const envHead = "# agent up writes this file: the settings with which other commands reach the same servers. It has no secrets.\n"

// envLimit is the largest size of the file, in bytes.
const envLimit = 64 << 10

// CheckEnv returns why the file at path cannot be written; nil if it can.
func CheckEnv(path string) error {
	data, err := file.Read(path, envLimit)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.HasPrefix(data, []byte(envHead)) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s is not a file that agent up has written", path)
	}
	return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "move it, or run the command in another folder"))
}

// WriteEnv writes the file. getenv returns the value of a variable, or "" if it is not set.
func WriteEnv(path string, r Reached, getenv func(name string) string) error {
	_, err := file.Write(path, Env(r, getenv), 0o644, filepath.Dir(path))
	return err
}

// Env returns the content of the file: what a run has found out, and the other settings that a person has set. Secrets are not in it, but
// the paths of the files that have them. Settings of restarts are left out: these commands restart no server, and RESTART alone lacks what
// belongs to it.
func Env(r Reached, getenv func(name string) string) []byte {
	c := r.Config
	found := map[string]string{
		"PRODUCT": "", "SERVER_NAME": "", "PEERS": "", // other commands run next to no server, as this one does
		"IS_HOST": c.IS.Host, "IS_PORT": strconv.Itoa(c.IS.Port), "AM_HOST": c.AM.Host, "AM_PORT": strconv.Itoa(c.AM.Port),
		"GW_HOST": c.Gateway.Host, "GW_PORT": strconv.Itoa(c.Gateway.Port), "CONNECT_TO": c.Trust.ConnectTo.String(),
		"PEER_PINS":         fmt.Sprintf("%s=%s,%s=%s", nameIS, c.Trust.Pins[nameIS][0], nameAM, c.Trust.Pins[nameAM][0]),
		"KM_TOKEN_ENDPOINT": c.KeyManager.TokenEndpoint, "API_CONFIG": absolute(c.Bootstrap.File), "KEYS_FILE": absolute(c.Bootstrap.KeysFile),
	}
	for _, product := range []string{config.IS, config.AM} {
		if name := r.Containers[product]; name != "" {
			found[setting(product)+"_CONTAINER"] = name
		}
	}
	var b strings.Builder
	b.WriteString(envHead)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s=%s\n", name, keysfile.ShellWord(value))
		}
	}
	for _, name := range config.SettingNames() {
		value, known := found[name]
		switch {
		case strings.HasPrefix(name, "RESTART"):
		case known:
			line(name, value)
		case !config.IsSecret(name):
			line(name, getenv(name))
		case getenv(name+"_FILE") != "":
			line(name+"_FILE", absolute(getenv(name+"_FILE")))
		case getenv(name) != "":
			fmt.Fprintf(&b, "# %s is a secret: set it, or %[1]s_FILE\n", name)
		}
	}
	return []byte(b.String())
}

// absolute returns a path that is right in every folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
