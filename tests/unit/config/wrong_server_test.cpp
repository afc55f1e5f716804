// Wrong configurations with all that is said about them. See wrong.hpp for the notation.
#include "tests/unit/config/wrong.hpp"

TEST_CASE(
    "wrong settings of the server, the limits and the sources are explained and the remedy mends "
    "them"
) {
    wrong::run({
        {{"[server]\nlisten = \"3000\""},
         {"error: server.listen: \"3000\" (from {dir}/headrace.toml:2): a listener needs an "
          "address. Write [::]:3000."},
         {"[server]\nlisten = \"[::]:3000\""}},
        {{"HEADRACE_SERVER_LISTEN=:3000"},
         {"error: server.listen: \":3000\" (from HEADRACE_SERVER_LISTEN): a listener needs an "
          "address. Write [::]:3000."},
         {"HEADRACE_SERVER_LISTEN=[::]:3000"}},
        {{"--listen=0.0.0.0:70000"},
         {"error: server.listen: \"0.0.0.0:70000\" (from --listen): \"70000\" is no port. Write a "
          "port from 0 to 65535; 0 takes any free one."},
         {"--listen=0.0.0.0:7000"}},
        {{"--listen=::1:3000"},
         {"error: server.listen: \"::1:3000\" (from --listen): an IPv6 address needs brackets. "
          "Write [::1]:3000."},
         {"--listen=[::1]:3000"}},
        {{"--listen=http://localhost:3000"},
         {"error: server.listen: \"http://localhost:3000\" (from --listen): this is no listener. "
          "Write host:port, [::]:port or unix:/path, without a scheme."},
         {"--listen=localhost:3000"}},
        {{"--listen=ho st:3000"},
         {"error: server.listen: \"ho st:3000\" (from --listen): the host is neither an address "
          "nor a name. Write 127.0.0.1:3000 or [::]:3000, for example."},
         {"--listen=127.0.0.1:3000"}},
        {{"--listen=unix:headrace.sock"},
         {"error: server.listen: \"unix:headrace.sock\" (from --listen): the path of a unix socket "
          "is not absolute. Write unix:/run/headrace.sock."},
         {"--listen=unix:/run/headrace.sock"}},
        {{"--listen=unix:/"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxx"},
         {"error: server.listen: "
          "\"unix:/"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxx\" (from --listen): the path of a unix socket has 111 bytes. Use "
          "a path of at most 107 bytes."},
         {"--listen=unix:/run/headrace.sock"}},
        {{"--listen=127.0.0.1:3000, 127.0.0.1:3000"},
         {"error: server.listen: \"127.0.0.1:3000,127.0.0.1:3000\" (from --listen): 127.0.0.1:3000 "
          "is listened on already. Name each address once, over server.listen and admin.listen "
          "together."},
         {"--listen=127.0.0.1:3000"}},
        {{"HEADRACE_ADMIN_LISTEN=0.0.0.0:3000"},
         {"error: admin.listen: \"0.0.0.0:3000\" (from HEADRACE_ADMIN_LISTEN): 0.0.0.0:3000 is "
          "listened on already. Name each address once, over server.listen and admin.listen "
          "together.",
          "warning: admin.listen: \"0.0.0.0:3000\" (from HEADRACE_ADMIN_LISTEN): others can reach "
          "it, and without admin.token they get metrics and health only. Set admin.token "
          "(HEADRACE_ADMIN_TOKEN_FILE), or listen on 127.0.0.1."},
         {"HEADRACE_ADMIN_LISTEN=127.0.0.1:3001"}},
        {{"ADDRESS=localhost"},
         {"error: server.listen: \"localhost\" (from ADDRESS): this is no listener. Write "
          "host:port, [::]:port or unix:/path, without a scheme."},
         {"ADDRESS=localhost:3000"}},
        {{"[server]\nlisten = [\"[::]:3000\"]\nproxy_protocol = [\"[::]:3002\"]\ntrusted_proxies = "
          "[\"10.0.0.0/8\"]"},
         {"error: server.proxy_protocol: \"[::]:3002\" (from {dir}/headrace.toml:3): \"[::]:3002\" "
          "is not an entry of server.listen. Name entries of server.listen, spelled the same."},
         {"[server]\nlisten = [\"[::]:3000\", \"[::]:3002\"]\nproxy_protocol = "
          "[\"[::]:3002\"]\ntrusted_proxies = [\"10.0.0.0/8\"]"}},
        {{"[server]\nlisten = [\"[::]:3000\"]\nproxy_protocol = [\"[::]:3000\"]"},
         {"error: server.proxy_protocol: \"[::]:3000\" (from {dir}/headrace.toml:3): no peer is "
          "trusted to speak the PROXY protocol. List the proxies in server.trusted_proxies."},
         {"[server]\nlisten = [\"[::]:3000\"]\nproxy_protocol = [\"[::]:3000\"]\ntrusted_proxies = "
          "[\"10.0.0.0/8\"]"}},
        {{"HEADRACE_SERVER_TRUSTED_PROXIES=10.0.0.0/33"},
         {"error: server.trusted_proxies: \"10.0.0.0/33\" (from HEADRACE_SERVER_TRUSTED_PROXIES): "
          "\"10.0.0.0/33\" has no valid prefix length. Write a length from 0 to 32 after the "
          "slash."},
         {"HEADRACE_SERVER_TRUSTED_PROXIES=10.0.0.0/8"}},
        {{"HEADRACE_SERVER_TRUSTED_PROXIES=10.0.0.0/8,proxy.internal"},
         {"error: server.trusted_proxies: \"10.0.0.0/8,proxy.internal\" (from "
          "HEADRACE_SERVER_TRUSTED_PROXIES): \"proxy.internal\" is no network. Write networks such "
          "as 10.0.0.0/8 or 2001:db8::/32."},
         {"HEADRACE_SERVER_TRUSTED_PROXIES=10.0.0.0/8"}},
        {{"HEADRACE_SERVER_CLIENT_IP_HEADER=CF Connecting IP"},
         {"error: server.client_ip_header: \"CF Connecting IP\" (from "
          "HEADRACE_SERVER_CLIENT_IP_HEADER): this is no header name. Write a name such as "
          "CF-Connecting-IP."},
         {"HEADRACE_SERVER_CLIENT_IP_HEADER=CF-Connecting-IP",
          "HEADRACE_SERVER_TRUSTED_PROXIES=10.0.0.0/8"}},
        {{"HEADRACE_SERVER_WORKERS=many"},
         {"error: server.workers: \"many\" (from HEADRACE_SERVER_WORKERS): this is not a number. "
          "Write a whole number such as 100."},
         {"HEADRACE_SERVER_WORKERS=4"}},
        {{"HEADRACE_SERVER_WORKERS=4096"},
         {"error: server.workers: \"4096\" (from HEADRACE_SERVER_WORKERS): the value is out of "
          "range. Write a value from 0 to 1024."},
         {"HEADRACE_SERVER_WORKERS=64"}},
        {{"[server]\nanswer_timeout = 3"},
         {"error: server.answer_timeout: \"3\" (from {dir}/headrace.toml:2): a duration needs a "
          "unit. Write 3ms, 3s, 3m or 3h."},
         {"[server]\nanswer_timeout = \"3s\""}},
        {{"[server]\nanswer_timeout = \"2s\""},
         {"error: server.answer_timeout: \"2s\" (from {dir}/headrace.toml:2): it is not longer "
          "than kafka.ack_timeout (2s). Leave a second between them for the local store, for "
          "example 3s and 2s."},
         {"[server]\nanswer_timeout = \"3s\""}},
        {{"[server]\ndrain_delay = \"10s\""},
         {"error: server.shutdown_timeout: \"8s\" (the default): it is not longer than "
          "server.drain_delay (10s). Make it at least 5s longer than server.drain_delay."},
         {"[server]\ndrain_delay = \"10s\"\nshutdown_timeout = \"15s\""}},
        {{"[server]\nexport_prometheus = \"yes\""},
         {"error: server.export_prometheus: \"yes\" (from {dir}/headrace.toml:2): this is neither "
          "true nor false. Write true or false."},
         {"[server]\nexport_prometheus = true"}},
        {{"[server]\nworkers = 1.5"},
         {"error: server.workers (from {dir}/headrace.toml:2): a value of this kind does not fit. "
          "Write one text in quotes, a whole number, true or false."},
         {"[server]\nworkers = 2"}},
        {{"[server]\nlisten = [[\"a\"]]"},
         {"error: server.listen (from {dir}/headrace.toml:2): a value of this kind does not fit. "
          "Write a list of texts: [\"...\", \"...\"]."},
         {"[server]\nlisten = [\"[::]:3000\"]"}},
        {{"[server]\nlissten = \"x\"\n[sever]\nlisten = \"y\""},
         {"error: server.lissten (from {dir}/headrace.toml:2): there is no such setting. Did you "
          "mean server.listen?",
          "error: [sever] (from {dir}/headrace.toml:3): there is no such section. Did you mean "
          "[server]?"},
         {"[server]\nlisten = \"[::]:3000\""}},
        {{"[server]\nbody = \"1MiB\""},
         {"error: server.body (from {dir}/headrace.toml:2): there is no such setting. Did you mean "
          "limits.body?"},
         {"[limits]\nbody = \"1MiB\""}},
        {{"--kafka-broker=a:1"},
         {"error: --kafka-broker: there is no such flag. Did you mean --kafka-brokers?"},
         {"--kafka-brokers=a:1"}},
        {{"--wormhole=1"},
         {"error: --wormhole: there is no such flag. Remove it."},
         {"--log-level=info"}},
        {{"HEADRACE_LIMITS_MEMORY=16MiB"},
         {"error: limits.memory: \"16MiB\" (from HEADRACE_LIMITS_MEMORY): the value is out of "
          "range. Write a value from 32MiB to 16384GiB."},
         {"HEADRACE_LIMITS_MEMORY=128MiB"}},
        {{"HEADRACE_LIMITS_MEMORY=2GB"},
         {"error: limits.memory: \"2GB\" (from HEADRACE_LIMITS_MEMORY): the unit is not known. Use "
          "one of KiB, MiB, GiB (or B), for example 20MiB."},
         {"HEADRACE_LIMITS_MEMORY=2GiB"}},
        {{"HEADRACE_LIMITS_BODY=20000000"},
         {"error: limits.body: \"20000000\" (from HEADRACE_LIMITS_BODY): a size needs a unit. "
          "Write 20000000B, 20000000KiB, 20000000MiB or 20000000GiB."},
         {"HEADRACE_LIMITS_BODY=20MiB"}},
        {{"HEADRACE_LIMITS_BODY=-1MiB"},
         {"error: limits.body: \"-1MiB\" (from HEADRACE_LIMITS_BODY): a negative value makes no "
          "sense here. Write a whole number such as 20MiB."},
         {"HEADRACE_LIMITS_BODY=20MiB"}},
        {{"HEADRACE_LIMITS_BODY=99999999999999999999MiB"},
         {"error: limits.body: \"99999999999999999999MiB\" (from HEADRACE_LIMITS_BODY): the number "
          "is too large. Write a smaller number."},
         {"HEADRACE_LIMITS_BODY=20MiB"}},
        {{"HEADRACE_LIMITS_INFLATED=10MiB"},
         {"error: limits.inflated: \"10MiB\" (from HEADRACE_LIMITS_INFLATED): it is smaller than "
          "limits.body (20MiB). Make it at least as large as limits.body."},
         {"HEADRACE_LIMITS_INFLATED=20MiB"}},
        {{"HEADRACE_INGEST_MODE=lenient"},
         {"error: ingest.mode: \"lenient\" (from HEADRACE_INGEST_MODE): the value is not known. "
          "Use salvage or strict."},
         {"HEADRACE_INGEST_MODE=salvage"}},
        {{"HEADRACE_INGEST_OVERFLOW=g1"},
         {"error: ingest.overflow: \"g1\" (from HEADRACE_INGEST_OVERFLOW): the value is not known. "
          "Use g3 or g2."},
         {"HEADRACE_INGEST_OVERFLOW=g2"}},
        {{"HEADRACE_PRIVACY_IP=hash"},
         {"error: privacy.ip: \"hash\" (from HEADRACE_PRIVACY_IP): the value is not known. Use "
          "keep, truncate or drop."},
         {"HEADRACE_PRIVACY_IP=truncate"}},
        {{"HEADRACE_LOG_LEVEL=verbose"},
         {"error: log.level: \"verbose\" (from HEADRACE_LOG_LEVEL): the value is not known. Use "
          "debug, info, warn or error."},
         {"HEADRACE_LOG_LEVEL=debug"}},
        {{"HEADRACE_ADMIN_TOKEN_FILE={dir}/missing"},
         {"error: admin.token: \"{dir}/missing\" (from HEADRACE_ADMIN_TOKEN_FILE): the file with "
          "the secret cannot be read (No such file or directory). Name a file that the user of "
          "headrace may read."},
         {"HEADRACE_ADMIN_TOKEN_FILE={dir}/secret"}},
        {{"HEADRACE_ADMIN_TOKEN_FILE={dir}/empty"},
         {"error: admin.token: \"{dir}/empty\" (from HEADRACE_ADMIN_TOKEN_FILE): the file is "
          "empty. Write the secret into it."},
         {"HEADRACE_ADMIN_TOKEN_FILE={dir}/secret"}},
        {{"HEADRACE_CONFIG={dir}/missing.toml"},
         {"error: config: \"{dir}/missing.toml\" (from {dir}/missing.toml): the file cannot be "
          "read (No such file or directory). Name a readable file with --config or "
          "HEADRACE_CONFIG, or none."},
         {"HEADRACE_CONFIG="}},
    });
}
