#include "kafka/check_topics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <thread>

namespace headrace::kafka {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr std::int32_t safe_replication = 3, safe_in_sync = 2;

// The most telling error that the client raised so far: login before TLS before the rest.
struct client_error {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string text;
};

int weight(rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) return 3;
    if (code == RD_KAFKA_RESP_ERR__SSL) return 2;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : 1;
}

void read_errors(rd_kafka_t* client, client_error& worst) {
    const queue_ptr queue(rd_kafka_queue_get_main(client));
    while (const event_ptr event{rd_kafka_queue_poll(queue.get(), 0)}) {
        if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
        const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
        if (weight(code) <= weight(worst.code)) continue;
        const char* text = rd_kafka_event_error_string(event.get());
        worst = {code, text != nullptr ? text : rd_kafka_err2str(code)};
    }
}

check_step login_failure(const config::kafka_settings& s, const std::string& text) {
    return {
        "sasl",
        check_verdict::failure,
        text,
        "correct kafka.sasl_username, kafka.sasl_password or kafka.sasl_mechanism (now " +
            (s.sasl_mechanism.empty() ? std::string("not set") : s.sasl_mechanism) + ")"};
}

// Waits for the one result of an admin request.
event_ptr result_of(rd_kafka_queue_t* queue, milliseconds timeout) {
    return event_ptr(rd_kafka_queue_poll(queue, static_cast<int>(timeout.count())));
}

struct topic_facts {
    std::int32_t partitions = 0;
    std::int32_t replication = 0;
    std::int32_t leaderless = 0;
    std::int32_t in_sync = 0;  // min.insync.replicas; 0: not known
};

topic_facts facts_of(const rd_kafka_metadata_topic_t& t) {
    topic_facts f;
    f.partitions = t.partition_cnt;
    for (int i = 0; i < t.partition_cnt; ++i) {
        const rd_kafka_metadata_partition_t& p = t.partitions[i];
        f.replication = i == 0 ? p.replica_cnt : std::min(f.replication, p.replica_cnt);
        if (p.leader < 0) ++f.leaderless;
    }
    return f;
}

using topic_map = std::map<std::string, topic_facts>;

topic_map existing(const rd_kafka_metadata_t& metadata, const std::set<std::string>& wanted) {
    topic_map found;
    for (int i = 0; i < metadata.topic_cnt; ++i) {
        const rd_kafka_metadata_topic_t& t = metadata.topics[i];
        if (t.err == RD_KAFKA_RESP_ERR_NO_ERROR && wanted.contains(t.topic))
            found.emplace(t.topic, facts_of(t));
    }
    return found;
}

// A broker may say "created" before its metadata has the topic and all leaders. Waits for that, at
// most `limit`; then what was found last, or `before` if there was no answer.
topic_map existing_soon(
    rd_kafka_t* client,
    const std::set<std::string>& wanted,
    const std::set<std::string>& created,
    milliseconds limit,
    topic_map before
) {
    const clock::time_point deadline = clock::now() + limit;
    for (;;) {
        const rd_kafka_metadata_t* answer = nullptr;
        if (rd_kafka_metadata(client, 1, nullptr, &answer, 500) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            before = existing(*metadata_ptr(answer), wanted);
            const bool all =
                std::all_of(created.begin(), created.end(), [&before](const std::string& name) {
                    const auto at = before.find(name);
                    return at != before.end() && at->second.partitions > 0 &&
                           at->second.leaderless == 0;
                });
            if (all) return before;
        }
        if (clock::now() >= deadline) return before;
        std::this_thread::sleep_for(milliseconds(100));
    }
}

void read_config(const rd_kafka_ConfigResource_t* resource, topic_map& topics) {
    const auto at = topics.find(rd_kafka_ConfigResource_name(resource));
    if (at == topics.end()) return;
    std::size_t n = 0;
    const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(resource, &n);
    for (std::size_t i = 0; i < n; ++i) {
        if (std::string_view(rd_kafka_ConfigEntry_name(entries[i])) != "min.insync.replicas")
            continue;
        const char* value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == nullptr) continue;
        const std::string_view text(value);
        std::from_chars(text.data(), text.data() + text.size(), at->second.in_sync);
    }
}

void read_configs(rd_kafka_t* client, topic_map& topics, milliseconds timeout) {
    if (topics.empty()) return;
    std::vector<client_handle<rd_kafka_ConfigResource_t>> owned;
    std::vector<rd_kafka_ConfigResource_t*> asked;
    for (const auto& [name, facts] : topics) {
        owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
        asked.push_back(owned.back().get());
    }
    const queue_ptr queue(rd_kafka_queue_new(client));
    const client_handle<rd_kafka_AdminOptions_t> options(
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
    );
    rd_kafka_AdminOptions_set_request_timeout(
        options.get(), static_cast<int>(timeout.count()), nullptr, 0
    );
    rd_kafka_DescribeConfigs(client, asked.data(), asked.size(), options.get(), queue.get());
    const event_ptr event = result_of(queue.get(), timeout + milliseconds(500));
    if (!event || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    std::size_t n = 0;
    const rd_kafka_ConfigResource_t** answers = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event.get()), &n
    );
    for (std::size_t i = 0; i < n; ++i) read_config(answers[i], topics);
}

std::string create_command(
    const std::string& broker,
    const std::string& topic,
    std::int32_t partitions,
    std::int32_t replication
) {
    return "kafka-topics.sh --bootstrap-server " + broker + " --create --topic " + topic +
           " --partitions " + std::to_string(partitions) + " --replication-factor " +
           std::to_string(replication) +
           (replication >= safe_replication ? " --config min.insync.replicas=2" : "");
}

// Empty: created. Else why not.
std::string create(
    rd_kafka_t* client,
    const std::string& topic,
    std::int32_t partitions,
    std::int32_t replication,
    milliseconds timeout
) {
    std::array<char, 256> text{};
    const client_handle<rd_kafka_NewTopic_t> wanted(
        rd_kafka_NewTopic_new(topic.c_str(), partitions, replication, text.data(), text.size())
    );
    if (!wanted) return text.data();
    if (replication >= safe_replication)
        rd_kafka_NewTopic_set_config(wanted.get(), "min.insync.replicas", "2");
    const client_handle<rd_kafka_AdminOptions_t> options(
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)
    );
    const int limit = static_cast<int>(timeout.count());
    rd_kafka_AdminOptions_set_request_timeout(options.get(), limit, nullptr, 0);
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), limit, nullptr, 0);
    const queue_ptr queue(rd_kafka_queue_new(client));
    rd_kafka_NewTopic_t* list = wanted.get();
    rd_kafka_CreateTopics(client, &list, 1, options.get(), queue.get());
    const event_ptr event = result_of(queue.get(), timeout * 2 + milliseconds(500));
    if (!event) return "the broker did not answer in time";
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return rd_kafka_event_error_string(event.get());
    std::size_t n = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &n);
    if (n == 0 || rd_kafka_topic_result_error(results[0]) == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    const char* why = rd_kafka_topic_result_error_string(results[0]);
    return why != nullptr ? why : rd_kafka_err2str(rd_kafka_topic_result_error(results[0]));
}

check_step judge(const std::string& topic, const topic_facts& f, const std::string& broker) {
    check_step step{"topic " + topic, check_verdict::ok, {}, {}};
    step.detail = std::to_string(f.partitions) + " partitions, replication factor " +
                  std::to_string(f.replication) + ", min.insync.replicas " +
                  (f.in_sync == 0 ? std::string("not known") : std::to_string(f.in_sync));
    const auto warn = [&step](const std::string& detail, const std::string& remedy) {
        step.verdict = check_verdict::warning;
        step.detail += detail;
        step.remedy += (step.remedy.empty() ? "" : "; then ") + remedy;
    };
    if (f.leaderless > 0)
        warn(
            "; " + std::to_string(f.leaderless) + " partitions have no leader",
            "start the brokers that hold their replicas"
        );
    if (f.replication < safe_replication)
        warn(
            "; one lost broker may lose acknowledged events",
            "give each partition 3 replicas: kafka-reassign-partitions.sh --bootstrap-server " +
                broker + " --reassignment-json-file FILE --execute"
        );
    if (f.in_sync != 0 && f.in_sync < safe_in_sync)
        warn(
            "; a record counts as acknowledged with one copy",
            "kafka-configs.sh --bootstrap-server " + broker +
                " --alter --entity-type topics --entity-name " + topic +
                " --add-config min.insync.replicas=2"
        );
    return step;
}

}  // namespace

metadata_ptr check_metadata(
    rd_kafka_t* client,
    const config::kafka_settings& settings,
    milliseconds timeout,
    const step_function& emit
) {
    const bool login = settings.security_protocol.starts_with("sasl");
    const clock::time_point deadline = clock::now() + timeout;
    client_error worst;
    const rd_kafka_metadata_t* found = nullptr;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (clock::now() < deadline && weight(worst.code) < 2) {
        error = rd_kafka_metadata(client, 1, nullptr, &found, 500);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
        read_errors(client, worst);
    }
    if (found == nullptr) {
        const std::string text = worst.text.empty() ? rd_kafka_err2str(error) : worst.text;
        if (worst.code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
            emit(login_failure(settings, text));
        else
            emit(
                {"metadata",
                 check_verdict::failure,
                 text,
                 "check that kafka.security_protocol (now " + settings.security_protocol +
                     ") is that of the broker's listener"}
            );
        return {};
    }
    metadata_ptr metadata(found);
    if (login) emit({"sasl", check_verdict::ok, "logged in as " + settings.sasl_username, {}});
    emit(
        {"metadata",
         metadata->broker_cnt == 0 ? check_verdict::failure : check_verdict::ok,
         std::to_string(metadata->broker_cnt) + " brokers, " + std::to_string(metadata->topic_cnt) +
             " topics",
         metadata->broker_cnt == 0 ? "start the cluster's brokers" : ""}
    );
    if (metadata->broker_cnt == 0) return {};
    return metadata;
}

std::set<std::string> topics_of(const config::topic_settings& t) {
    std::set<std::string> all{
        t.analytics_main,
        t.analytics_overflow,
        t.analytics_historical,
        t.heatmaps,
        t.client_warnings,
        t.error_tracking,
        t.dlq,
        t.ai_main,
        t.ai_overflow,
        t.dead_letters};
    all.erase("");
    return all;
}

void check_topics(
    rd_kafka_t* client,
    const config::kafka_settings& settings,
    const check_options& options,
    const rd_kafka_metadata_t& metadata,
    const step_function& emit
) {
    const std::string broker = settings.brokers.front();
    const std::set<std::string> wanted = topics_of(settings.topics);
    const std::int32_t replication = options.replication > 0
                                         ? options.replication
                                         : std::min(safe_replication, metadata.broker_cnt);
    topic_map found = existing(metadata, wanted);
    std::set<std::string> created;
    std::map<std::string, std::string> failed;
    for (const std::string& name : wanted) {
        if (!options.create_topics || found.contains(name)) continue;
        const std::string why =
            create(client, name, options.partitions, replication, options.timeout);
        if (why.empty())
            created.insert(name);
        else
            failed.emplace(name, why);
    }
    if (!created.empty()) found = existing_soon(client, wanted, created, options.timeout, found);
    read_configs(client, found, options.timeout);
    for (const std::string& name : wanted) {
        const std::string command = create_command(broker, name, options.partitions, replication);
        const auto at = found.find(name);
        const auto why = failed.find(name);
        check_step step{"topic " + name, check_verdict::failure, {}, command};
        if (at != found.end()) {
            step = judge(name, at->second, broker);
            if (created.contains(name)) step.detail = "created, " + step.detail;
        } else if (why != failed.end()) {
            step.detail = "cannot be created: " + why->second;
        } else if (created.contains(name)) {
            step.detail = "created, but the brokers do not show it yet";
            step.remedy = "run `headrace check` again";
        } else {
            step.detail = "does not exist";
            step.remedy = "run `headrace check --create-topics`, or: " + command;
        }
        emit(step);
    }
}

}  // namespace headrace::kafka
