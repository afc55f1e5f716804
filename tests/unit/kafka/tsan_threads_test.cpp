// ThreadSanitizer does not know the C11 threads that Debian's librdkafka is built with: its threads
// would run without the tool's state and crash. In that build they are mapped to POSIX threads.
#if defined(__SANITIZE_THREAD__)

#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <cstdint>
#include <memory>

namespace {

struct start {
    thrd_start_t function;
    void* argument;
};

void* run(void* p) {
    const std::unique_ptr<start> s(static_cast<start*>(p));
    return reinterpret_cast<void*>(static_cast<std::intptr_t>(s->function(s->argument)));
}

pthread_mutex_t* posix(mtx_t* m) { return reinterpret_cast<pthread_mutex_t*>(m); }
pthread_cond_t* posix(cnd_t* c) { return reinterpret_cast<pthread_cond_t*>(c); }
int result(int error) { return error == 0 ? thrd_success : thrd_error; }

}  // namespace

extern "C" {

int thrd_create(thrd_t* to, thrd_start_t function, void* argument) {
    return result(pthread_create(to, nullptr, run, new start{function, argument}));
}
int thrd_join(thrd_t t, int* code) {
    void* value = nullptr;
    const int error = pthread_join(t, &value);
    if (code != nullptr) *code = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
    return result(error);
}
int thrd_detach(thrd_t t) { return result(pthread_detach(t)); }

int mtx_init(mtx_t* m, int type) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    if ((type & mtx_recursive) != 0) pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    return result(pthread_mutex_init(posix(m), &a));
}
int mtx_lock(mtx_t* m) { return result(pthread_mutex_lock(posix(m))); }
int mtx_trylock(mtx_t* m) {
    return pthread_mutex_trylock(posix(m)) == 0 ? thrd_success : thrd_busy;
}
int mtx_unlock(mtx_t* m) { return result(pthread_mutex_unlock(posix(m))); }
void mtx_destroy(mtx_t* m) { pthread_mutex_destroy(posix(m)); }

int cnd_init(cnd_t* c) { return result(pthread_cond_init(posix(c), nullptr)); }
int cnd_signal(cnd_t* c) { return result(pthread_cond_signal(posix(c))); }
int cnd_broadcast(cnd_t* c) { return result(pthread_cond_broadcast(posix(c))); }
int cnd_wait(cnd_t* c, mtx_t* m) { return result(pthread_cond_wait(posix(c), posix(m))); }
int cnd_timedwait(cnd_t* c, mtx_t* m, const timespec* until) {
    const int error = pthread_cond_timedwait(posix(c), posix(m), until);
    return error == ETIMEDOUT ? thrd_timedout : result(error);
}
void cnd_destroy(cnd_t* c) { pthread_cond_destroy(posix(c)); }

}  // extern "C"

#endif
