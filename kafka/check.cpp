#include "kafka/check.hpp"

#include "kafka/check_connect.hpp"
#include "kafka/check_topics.hpp"
#include "kafka/librdkafka_conf.hpp"

#include <algorithm>

namespace headrace::kafka {

namespace {

// All addresses of a list. Returns how many of them were reached. With one reached, the failures
// of the others are warnings.
std::size_t check_addresses(
    const config::kafka_settings& settings,
    const std::vector<std::string>& addresses,
    std::chrono::milliseconds timeout,
    const step_function& emit
) {
    std::vector<check_step> steps;
    std::size_t reached = 0;
    for (const std::string& address : addresses) {
        const std::vector<check_step> own = check_address(settings, address, timeout);
        if (passed(own)) ++reached;
        steps.insert(steps.end(), own.begin(), own.end());
    }
    for (check_step& step : steps) {
        if (reached != 0 && step.verdict == check_verdict::failure)
            step.verdict = check_verdict::warning;
        emit(step);
    }
    return reached;
}

// Addresses that the cluster gives to its clients and that the settings do not name.
std::vector<std::string> advertised(
    const rd_kafka_metadata_t& metadata, const std::vector<std::string>& known
) {
    std::vector<std::string> all;
    for (int i = 0; i < metadata.broker_cnt; ++i) {
        const rd_kafka_metadata_broker_t& b = metadata.brokers[i];
        const std::string host(b.host);
        const std::string name = (host.find(':') == std::string::npos ? host : "[" + host + "]") +
                                 ":" + std::to_string(b.port);
        if (std::find(known.begin(), known.end(), name) == known.end()) all.push_back(name);
    }
    return all;
}

}  // namespace

bool passed(const std::vector<check_step>& steps) {
    return std::none_of(steps.begin(), steps.end(), [](const check_step& s) {
        return s.verdict == check_verdict::failure;
    });
}

std::vector<check_step> check_kafka(
    const config::kafka_settings& settings, const check_options& options, const step_function& emit
) {
    std::vector<check_step> all;
    const step_function add = [&all, &emit](const check_step& step) {
        all.push_back(step);
        if (emit) emit(step);
    };
    if (check_addresses(settings, settings.brokers, options.timeout, add) == 0) return all;

    std::vector<std::string> warnings;
    std::string error;
    client_log log({});
    conf_choice choice;
    choice.statistics = false;
    const client_ptr client = make_client(settings, choice, log, warnings, error);
    for (const std::string& text : warnings)
        add({"client", check_verdict::warning, text, "correct or remove the property"});
    if (!client) {
        add({"client", check_verdict::failure, error, "correct the setting that is named"});
        return all;
    }
    const metadata_ptr metadata = check_metadata(client.get(), settings, options.timeout, add);
    if (!metadata) return all;
    const std::vector<std::string> others = advertised(*metadata, settings.brokers);
    if (!others.empty() && check_addresses(settings, others, options.timeout, add) == 0) return all;
    check_topics(client.get(), settings, options, *metadata, add);
    return all;
}

}  // namespace headrace::kafka
