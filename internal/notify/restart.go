package notify

import (
	"context"
	"time"
)

// Method is a way to restart a server that agent exec does not run.
type Method interface {
	// Name is the value of RESTART.
	Name() string
	// Usable returns nil if the method can restart the server of this agent, and why it is that one, for the log. An error says
	// what is missing. Usable changes nothing.
	Usable(ctx context.Context) (why string, err error)
	// Restart restarts the server, or asks somebody to do so. It need not wait until the server is back. An error says that the server goes on
	// as before, as far as the method knows.
	Restart(ctx context.Context, o Order) error
}

// Order says what a restart is for.
type Order struct {
	ID         string    `json:"id"`         // another one for each order
	Server     string    `json:"server"`     // SERVER_NAME
	Product    string    `json:"product"`    // is or am
	Generation string    `json:"generation"` // with which the server is to run
	Running    string    `json:"running"`    // with which it runs; empty if nobody knows
	Attempt    int       `json:"attempt"`    // 1 for the first
	At         time.Time `json:"at"`
}

// Process is a process of the server, or what stands for one. Another process has another ID.
type Process struct {
	ID    string    // empty: none runs
	PID   int       // 0: not known
	Since time.Time // when it started, or an earlier time
}

// watcher is a Method that knows the process of the server. For the others the port of the server stands for its process.
type watcher interface {
	// Process returns what runs now, after Usable has returned no error.
	Process(ctx context.Context) (Process, error)
}
