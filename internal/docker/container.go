package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/remedy"
)

// Container is what the engine says of a container.
type Container struct {
	ID        string
	Name      string // without the slash before it
	Image     string // as the container was made with, such as wso2/wso2is:7.1.0
	User      string // that its process runs as; empty: root
	Running   bool
	Again     bool   // the engine starts it again, because it has exited
	StartedAt string // as the engine writes it; another one after each start, whoever caused it
	Env       Env
	Labels    map[string]string
	Mounts    []Mount
	Ports     map[int][]int // ports of the container to those of the host on which they are published
	Network   string        // its mode: bridge, host, container:ID, or the name of a network
	ReadOnly  bool          // whether its root file system is read-only
}

// Project returns the Compose project of the container; empty if it has none.
func (c Container) Project() string { return c.Labels["com.docker.compose.project"] }

// Mount is a volume or a folder of the host in a container.
type Mount struct {
	Kind     string // volume, bind, tmpfs
	Name     string // of a volume
	Source   string // on the host
	Target   string // in the container
	Writable bool
}

// MountOf returns the mount on which a path of the container is, and reports whether there is one.
func (c Container) MountOf(file string) (found Mount, ok bool) {
	for _, m := range c.Mounts {
		if inside := file == m.Target || strings.HasPrefix(file, strings.TrimSuffix(m.Target, "/")+"/"); inside && len(m.Target) >= len(found.Target) {
			found, ok = m, true
		}
	}
	return found, ok
}

// Env are variables of a container. They may be passwords: an Env prints and logs only names.
type Env struct{ values map[string]string }

// NewEnv returns the variables in a list of NAME=value.
func NewEnv(list []string) Env {
	e := Env{map[string]string{}}
	for _, one := range list {
		name, value, _ := strings.Cut(one, "=")
		e.values[name] = value
	}
	return e
}

// Get returns the value of a variable; empty if it is not set.
func (e Env) Get(name string) string { return e.values[name] }

// String returns the names.
func (e Env) String() string { return strings.Join(slices.Sorted(maps.Keys(e.values)), " ") }

// GoString returns the names.
func (e Env) GoString() string { return e.String() }

// LogValue returns the names.
func (e Env) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalJSON returns the names.
func (e Env) MarshalJSON() ([]byte, error) { return json.Marshal(slices.Sorted(maps.Keys(e.values))) }

// inspected is the part of the engine's answer that Container has.
type inspected struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Running    bool
		Restarting bool
		StartedAt  string
	}
	Config struct {
		Image  string
		User   string
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		NetworkMode    string
		ReadonlyRootfs bool
	}
	Mounts []struct {
		Type, Name, Source, Destination string
		RW                              bool
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostPort string }
	}
}

// Inspect returns the container with this name or id. Errors wrap [ErrNotFound] if there is none.
func (e *Engine) Inspect(ctx context.Context, name string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := e.do(ctx, http.MethodGet, "/containers/"+url.PathEscape(name)+"/json", nil, nil)
	if errors.Is(err, ErrNotFound) {
		return Container{}, remedy.Add(fmt.Errorf("container %s: %w at %s", name, ErrNotFound, e.address), "check the name: docker ps lists the containers")
	}
	if err != nil {
		return Container{}, fmt.Errorf("inspect container %s: %w", name, err)
	}
	defer resp.Body.Close()
	var in inspected
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&in); err != nil {
		return Container{}, fmt.Errorf("inspect container %s: %w", name, err)
	}
	c := Container{
		ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Image: in.Config.Image, User: in.Config.User, Running: in.State.Running, Again: in.State.Restarting, StartedAt: in.State.StartedAt,
		Env: NewEnv(in.Config.Env), Labels: in.Config.Labels, Ports: map[int][]int{}, Network: in.HostConfig.NetworkMode, ReadOnly: in.HostConfig.ReadonlyRootfs,
	}
	for _, m := range in.Mounts {
		c.Mounts = append(c.Mounts, Mount{Kind: m.Type, Name: m.Name, Source: m.Source, Target: path.Clean(m.Destination), Writable: m.RW})
	}
	for inner, outer := range in.NetworkSettings.Ports {
		port, err := strconv.Atoi(strings.TrimSuffix(inner, "/tcp"))
		if err != nil { // a port of UDP
			continue
		}
		for _, o := range outer { // once for each address of the host
			if published, err := strconv.Atoi(o.HostPort); err == nil && !slices.Contains(c.Ports[port], published) {
				c.Ports[port] = append(c.Ports[port], published)
			}
		}
	}
	return c, nil
}

// AwaitStart waits until a container runs that was started at another time than before. It returns the container. One that has exited since
// is an error, unless the engine starts it again.
func (e *Engine) AwaitStart(ctx context.Context, id, before string) (Container, error) {
	for {
		c, err := e.Inspect(ctx, id)
		if err != nil || c.Running && c.StartedAt != before {
			return c, err
		}
		if c.StartedAt != before && !c.Again {
			return c, remedy.Add(fmt.Errorf("container %s has exited after its start", c.Name), "docker logs %s shows the reason", c.Name)
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}
