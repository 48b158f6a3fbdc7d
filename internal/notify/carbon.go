package notify

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Carbon has the server restart itself in place, by its web service ServerAdmin. The start script then starts Java again, and the
// entrypoint does not copy the config volume: so it is for an agent that edits the home of the server itself.
type Carbon struct {
	URL           string // of the server
	Connect       func() (*http.Client, error)
	Administrator func() (wso2.Credentials, error) // of the server
	InHome        bool                             // CONFIG_DIR is SERVER_HOME
}

// Name is the value of RESTART.
func (*Carbon) Name() string { return "carbon" }

// Usable returns nil if the agent edits the home of the server.
func (c *Carbon) Usable(context.Context) (why string, err error) {
	if !c.InHome {
		return "", remedy.Add(errors.New("after such a restart the server still has the files of its home, because its entrypoint does not copy the config volume again"),
			"set CONFIG_DIR and SERVER_HOME to the home, if the agent can edit it, or choose another RESTART")
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return "", err
	}
	return "ServerAdmin is at " + u.Host + ", and the agent edits the home of the server", nil
}

// Restart calls restartGracefully.
func (c *Carbon) Restart(ctx context.Context, _ Order) error {
	client, err := c.Connect()
	if err != nil {
		return err
	}
	administrator, err := c.Administrator()
	if err != nil {
		return err
	}
	done, err := wso2.NewServerAdmin(client, c.URL, administrator).RestartGracefully(ctx)
	if err == nil && !done {
		err = remedy.Add(errors.New("ServerAdmin answers false: the server does not restart on request"),
			"set SERVER_ADMIN=true, which sets [server] enable_restart_from_api = true, and restart the server once by hand")
	}
	return err
}
