package desired

import "cmp"

// File is the desired state from all files. [Load] has checked it against the rules that hold without a server.
type File struct {
	APIs           List[API]             `yaml:"apis" item:"an API" doc:"The APIs, one entry for each version."`
	Scopes         List[Scope]           `yaml:"scopes" item:"a scope" doc:"Scopes that several APIs share."`
	Applications   List[Application]     `yaml:"applications" item:"an application" doc:"The applications that call the APIs."`
	KeyManagers    List[KeyManager]      `yaml:"key_managers" item:"a key manager" doc:"The key managers of API-M."`
	IdentityServer Group[IdentityServer] `yaml:"identity_server" doc:"Roles, groups and users of IS, for tests and small installations."`
	Gateway        Group[Gateway]        `yaml:"gateway" doc:"The addresses of the gateway."`

	// What messages call the list of APIs: the section that the file has.
	section string
	// Where the first file begins, for what is missing.
	begin Place
	// The names of the files in their order.
	files []string
	// A file is no YAML, so that something may be missing here that is in no other file.
	partial bool
	// What the files call fields that the model has under another name.
	words words
}

// words has the name that a file has for the value at a place, if it is not the one of the model.
type words map[Place]string

// of returns the file's name for the field at a place, whose name in the model is name.
func (w words) of(at Place, name string) string { return cmp.Or(w[at], name) }

// Begin returns where the first file begins: the place of what is missing.
func (f *File) Begin() Place { return f.begin }

// Gateway is where clients reach the gateway.
type Gateway struct {
	Host         Text   `yaml:"host" form:"host" doc:"The host at which the agent reaches the gateway."`
	Port         Number `yaml:"port" min:"1" max:"65535" doc:"The port at which the agent reaches the gateway."`
	ExternalHost Text   `yaml:"external_host" form:"host" doc:"The host at which clients reach the gateway."`
	ExternalPort Number `yaml:"external_port" min:"1" max:"65535" doc:"The port at which clients reach the gateway."`
}
