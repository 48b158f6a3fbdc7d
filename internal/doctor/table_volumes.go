package doctor

func volumeTroubles() []Trouble {
	return []Trouble{
		{
			ID: "volume.hidden", Name: "A volume hides stock files of the server",
			Symptom: "The server does not start, or says \"No such file or directory\": a volume over a folder of the image hides what the image has there. A Kubernetes volume is empty at first.",
			Remedy:  "mount volumes only at the config volume and the artifact volume, and fill them with the seed job (deploy/seed/seed.sh); or mount single files with subPath",
			find: func(f *Facts) finding {
				if len(f.Volume.Hidden) > 0 {
					return sure(f.Volume.Hidden...)
				}
				return likely(f.Logs.of(logNoFile)...)
			},
		},
		{
			ID: "volume.only-dots", Name: "The config volume has nothing but dot files",
			Symptom: "The server's container stops at once: its entrypoint copies <volume>/*, which matches nothing.",
			Remedy:  "put the server's stores and deployment.toml there (deploy/seed/seed.sh)",
			find: func(f *Facts) finding {
				if !f.Volume.OnlyDots {
					return finding{}
				}
				return sure("the top of the config volume has only names that begin with a dot")
			},
		},
		{
			ID: "volume.owner", Name: "The agent cannot change the files of its server",
			Symptom: "Permission denied. A fresh named volume belongs to root, and the servers run as 802:802 (IS) and 10001:10001 (API-M).",
			Remedy:  "run the agent as the user of the server, and give the volume to that user (agent install, or fsGroup on Kubernetes)",
			find: func(f *Facts) finding {
				if f.Volume.Refused == "" {
					return finding{}
				}
				return sure(f.Volume.Refused)
			},
		},
	}
}
