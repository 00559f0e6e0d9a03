module lb_backup/lb

go 1.21

require github.com/ebitengine/purego v0.10.2
