#pragma once
// Collects what check() finds, with the value and the origin of each setting. Main thread.
#include "config/catalog.hpp"
#include "config/load.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::config {

class findings {
public:
    explicit findings(const loaded& in) : in_(in) {}

    void error(std::string_view key, std::string reason, std::string remedy);
    void warn(std::string_view key, std::string reason, std::string remedy);
    void error_if(std::optional<fault> bad, std::string_view key);

    const config::settings& all() const { return in_.settings; }
    bool is_default(std::string_view key) const;
    std::string show(std::string_view key) const;  // of settings that are no secrets
    std::vector<problem> take() { return std::move(problems_); }

private:
    void add(problem::level, std::string_view key, std::string reason, std::string remedy);

    const loaded& in_;
    std::vector<problem> problems_;
};

void check_server(findings&);  // check.cpp
void check_kafka(findings&);   // check_kafka.cpp
void check_topics(findings&);

}  // namespace headrace::config
