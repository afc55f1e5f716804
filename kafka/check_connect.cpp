#include "kafka/check_connect.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace headrace::kafka {

namespace {

using std::chrono::milliseconds;

struct address_deleter {
    void operator()(addrinfo* p) const { ::freeaddrinfo(p); }
};
struct ssl_deleter {
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL* p) const { SSL_free(p); }
};

class descriptor {
public:
    explicit descriptor(int fd = -1) : fd_(fd) {}
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int get() const { return fd_; }

private:
    int fd_;
};

check_step failure(std::string name, std::string detail, std::string remedy) {
    return {std::move(name), check_verdict::failure, std::move(detail), std::move(remedy)};
}

std::string numeric(const addrinfo& at) {
    std::array<char, NI_MAXHOST> text{};
    ::getnameinfo(at.ai_addr, at.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    return text.data();
}

// A connected, blocking socket with time-outs, or -1 and errno in `error`.
descriptor connect_to(const addrinfo& at, milliseconds timeout, int& error) {
    descriptor s(::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = errno;
    if (s.get() < 0) return s;
    if (::connect(s.get(), at.ai_addr, at.ai_addrlen) != 0) {
        error = errno;
        if (error != EINPROGRESS) return descriptor();
        pollfd on{s.get(), POLLOUT, 0};
        socklen_t size = sizeof error;
        if (::poll(&on, 1, static_cast<int>(timeout.count())) != 1)
            error = ETIMEDOUT;
        else
            ::getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return descriptor();
    }
    ::fcntl(s.get(), F_SETFL, ::fcntl(s.get(), F_GETFL) & ~O_NONBLOCK);
    const timeval limit{timeout.count() / 1000, (timeout.count() % 1000) * 1000};
    ::setsockopt(s.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(s.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    error = 0;
    return s;
}

std::string library_error() {
    std::array<char, 256> text{};
    const unsigned long code = ERR_peek_last_error();
    if (code == 0) return "the broker closed the connection";
    const char* reason = ERR_reason_error_string(code);
    if (reason != nullptr) return reason;
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

int password_for(char* to, int size, int, void* from) {
    const auto& password = *static_cast<const std::string*>(from);
    const std::size_t n = std::min(password.size(), static_cast<std::size_t>(size));
    std::memcpy(to, password.data(), n);
    return static_cast<int>(n);
}

// Loads the files of the settings; a failed step names the file and its setting.
bool load_files(SSL_CTX* context, const config::kafka_settings& s, check_step& step) {
    const auto failed = [&step](const std::string& setting, const std::string& file) {
        step = failure(
            step.name,
            file + " cannot be used: " + library_error(),
            "correct kafka." + setting + " (a PEM file that headrace's user can read)"
        );
        return false;
    };
    if (s.ssl_ca.empty())
        SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_locations(context, s.ssl_ca.c_str(), nullptr) != 1)
        return failed("ssl_ca", s.ssl_ca);
    if (!s.ssl_certificate.empty() &&
        SSL_CTX_use_certificate_chain_file(context, s.ssl_certificate.c_str()) != 1)
        return failed("ssl_certificate", s.ssl_certificate);
    if (s.ssl_key.empty()) return true;
    SSL_CTX_set_default_passwd_cb(context, password_for);
    SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<std::string*>(&s.ssl_key_password));
    if (SSL_CTX_use_PrivateKey_file(context, s.ssl_key.c_str(), SSL_FILETYPE_PEM) != 1)
        return failed("ssl_key (or kafka.ssl_key_password)", s.ssl_key);
    if (SSL_CTX_check_private_key(context) != 1) return failed("ssl_key", s.ssl_key);
    return true;
}

check_step explain_verdict(std::string name, long verdict, const host_port& to) {
    const std::string why = X509_verify_cert_error_string(verdict);
    switch (verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return failure(
                std::move(name),
                "the broker's certificate has expired",
                "renew the certificate of the broker that kafka.brokers names; kafka.ssl_ca stays "
                "as it is if the same authority signs the new one"
            );
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return failure(
                std::move(name),
                "the broker's certificate is not valid yet",
                "compare the clocks of this machine and of the broker that kafka.brokers names"
            );
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return failure(
                std::move(name),
                "the broker's certificate is not for the name " + to.host,
                "use in kafka.brokers a name that the certificate lists, or issue one "
                "with " +
                    to.host + " as subject alternative name"
            );
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return failure(
                std::move(name),
                "the broker's certificate is signed by an unknown authority (" + why + ")",
                "set kafka.ssl_ca to the PEM file of the authority that signed it"
            );
        default:
            return failure(
                std::move(name),
                "the broker's certificate is refused: " + why,
                "correct the broker's certificate or kafka.ssl_ca"
            );
    }
}

void expect_name(SSL* ssl, const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    const bool ip = ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
                    ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
    if (ip) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    } else {
        SSL_set1_host(ssl, host.c_str());
        SSL_ctrl(
            ssl,
            SSL_CTRL_SET_TLSEXT_HOSTNAME,
            TLSEXT_NAMETYPE_host_name,
            const_cast<char*>(host.c_str())
        );
    }
}

check_step check_tls(
    const config::kafka_settings& s, const std::string& address, const host_port& to, int socket
) {
    check_step step{"tls " + address, check_verdict::ok, {}, {}};
    ERR_clear_error();
    const std::unique_ptr<SSL_CTX, ssl_deleter> context(SSL_CTX_new(TLS_client_method()));
    if (!load_files(context.get(), s, step)) return step;
    SSL_CTX_set_verify(context.get(), s.ssl_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    const std::unique_ptr<SSL, ssl_deleter> ssl(SSL_new(context.get()));
    expect_name(ssl.get(), to.host);
    SSL_set_fd(ssl.get(), socket);
    if (SSL_connect(ssl.get()) != 1) {
        const long verdict = SSL_get_verify_result(ssl.get());
        if (s.ssl_verify && verdict != X509_V_OK) return explain_verdict(step.name, verdict, to);
        return failure(
            step.name,
            "no TLS session: " + library_error(),
            "check that this is the broker's TLS listener, else set "
            "kafka.security_protocol to plaintext or sasl_plaintext"
        );
    }
    // With TLS 1.3 the broker judges our certificate only now; silence is consent.
    const timeval soon{0, 300'000};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    char byte = 0;
    if (SSL_read(ssl.get(), &byte, 1) <= 0 && ERR_peek_last_error() != 0)
        return failure(
            step.name,
            "the broker refuses this client: " + library_error(),
            "set kafka.ssl_certificate and kafka.ssl_key to a certificate that the "
            "broker trusts"
        );
    step.detail = SSL_get_version(ssl.get());
    if (!s.ssl_verify) {
        step.verdict = check_verdict::warning;
        step.detail += ", the broker's certificate is not verified";
        step.remedy = "set kafka.ssl_verify = true, and kafka.ssl_ca for a private authority";
    }
    return step;
}

}  // namespace

host_port split_address(const std::string& address) {
    if (address.starts_with('[')) {
        const std::size_t end = address.find(']');
        const bool has_port = end != std::string::npos && end + 1 < address.size();
        return {address.substr(1, end - 1), has_port ? address.substr(end + 2) : "9092"};
    }
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return {address, "9092"};
    return {address.substr(0, colon), address.substr(colon + 1)};
}

std::vector<check_step> check_address(
    const config::kafka_settings& settings, const std::string& address, milliseconds timeout
) {
    const host_port to = split_address(address);
    std::vector<check_step> steps;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int resolved = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found);
    const std::unique_ptr<addrinfo, address_deleter> list(found);
    if (resolved != 0 || found == nullptr) {
        steps.push_back(failure(
            "dns " + address,
            to.host + ": " + ::gai_strerror(resolved),
            "correct the name in kafka.brokers, or the DNS of this machine"
        ));
        return steps;
    }
    steps.push_back({"dns " + address, check_verdict::ok, numeric(*found), {}});
    descriptor socket;
    int error = 0;
    for (const addrinfo* at = found; at != nullptr && socket.get() < 0; at = at->ai_next)
        socket = connect_to(*at, timeout, error);
    if (socket.get() < 0) {
        steps.push_back(failure(
            "tcp " + address,
            std::strerror(error),
            error == ECONNREFUSED
                ? "start the broker, or correct the port in kafka.brokers"
                : "correct the address in kafka.brokers, or check the network and "
                  "firewall between here and the broker"
        ));
        return steps;
    }
    steps.push_back({"tcp " + address, check_verdict::ok, "connected", {}});
    if (settings.security_protocol.ends_with("ssl"))
        steps.push_back(check_tls(settings, address, to, socket.get()));
    return steps;
}

}  // namespace headrace::kafka
