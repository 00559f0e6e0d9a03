// lb_backup_asio.hpp: lb_backup as asynchronous operations of Boost.Asio or standalone Asio. Header-only, over
// lb_backup.hpp.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LB_BACKUP_ASIO_HPP
#define LB_BACKUP_ASIO_HPP

#include <lb_backup.hpp>

#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio/associated_allocator.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/error_code.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/is_executor.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/version.hpp>
#define LB_BACKUP_ASIO_VERSION ASIO_VERSION
#define LB_BACKUP_ASIO_NAMESPACE standalone_asio
#else
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/is_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/version.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#define LB_BACKUP_ASIO_VERSION BOOST_ASIO_VERSION
#define LB_BACKUP_ASIO_NAMESPACE boost_asio
#endif

// Executors as properties came with Boost 1.74, slots for cancellation with Boost 1.77, default tokens with Boost 1.72.
#if LB_BACKUP_ASIO_VERSION >= 101700
#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio/execution/context.hpp>
#include <asio/execution/executor.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#else
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#endif
#endif
#if LB_BACKUP_ASIO_VERSION >= 101900
#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio/associated_cancellation_slot.hpp>
#include <asio/cancellation_type.hpp>
#else
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#endif
#endif

/// @file
/// Backups of live SQLite databases, as asynchronous operations of Asio.
///
/// CAVEATS, before anything else: those of lb_backup.h and lb_backup.hpp hold here as well. On top of them:
///
/// - Tokens that turn the error code into an exception (`use_future`, `use_awaitable`) drop the lb::Result of an
///   operation that failed, and the library's message with it. `as_tuple(use_awaitable)` keeps it, and so does
///   `use_future([](error_code, lb::Result result) { return result; })`.
/// - An operation that was cancelled has the error code `asio::error::operation_aborted`, as everywhere in Asio;
///   lb::Result::status is LB_STATUS_CANCELLED. Slots for cancellation need Boost 1.77 or Asio 1.19. With an older one,
///   call lb::shutdown, or start the job with lb::start_backup and lb::Job::cancel it.
/// - The context of the I/O executor may be stopped, run again, and destroyed while operations are outstanding. If it is
///   destroyed, their jobs are cancelled, and their handlers destroyed without being called. Callbacks in the options
///   belong to the job, not to the context: on_complete is called even then, on the library's thread. That holds for the
///   executors of io_context and thread_pool, `strand` of them, and any_io_executor with one of these; where the I/O
///   executor is one of your own, or the old `io_context::strand`, end the operations first.
/// - A program that forks and goes on with a context in the child calls its `notify_fork`, as Asio asks for anyway.
///   Outstanding operations go on in the parent, and end in the child with LB_STATUS_WRONG_PROCESS.
///
/// Boost.Asio by default (Boost 1.70 or newer); define LB_BACKUP_USE_STANDALONE_ASIO before this header is included for
/// standalone Asio (1.18 or newer). One translation unit has one of them, a program may have both.
///
/// Below, `asio` stands for `boost::asio` or the namespace of standalone Asio, and `error_code` for
/// `boost::system::error_code` or the one of standalone Asio, which is `std::error_code`.

// Versions of this header and visibility: as in lb_backup.hpp. The namespace of its own keeps the two kinds of Asio apart.
namespace lb {
inline namespace v0_1 {
inline namespace LB_BACKUP_ASIO_NAMESPACE {

/// @cond DETAIL
namespace asio_detail {
#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
namespace net = ::asio;
using error_code = net::error_code;
using error_category = net::error_category;
#else
namespace net = ::boost::asio;
using error_code = boost::system::error_code;
using error_category = boost::system::error_category;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"  // the base class has a protected one

// What lb::category() is for std::error_code.
class __attribute__((visibility("default"))) Category final : public error_category {
public:
    const char *name() const noexcept override { return category().name(); }
    std::string message(int value) const override { return category().message(value); }
    boost::system::error_condition default_error_condition(int value) const noexcept override {
        const std::error_condition condition = category().default_error_condition(value);
        if (condition.category() == std::generic_category())
            return {condition.value(), boost::system::generic_category()};
        return {value, *this};
    }
};

#pragma GCC diagnostic pop
#endif
}  // namespace asio_detail
/// @endcond

/// @name Errors of asynchronous operations
/// @{

/// The category of error codes whose values are lb_status. It is lb::category() with standalone Asio, and a category of
/// Boost.System with the same name, messages and conditions otherwise.
__attribute__((visibility("default"))) inline const asio_detail::error_category &asio_category() noexcept {
#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
    return category();
#else
    static const asio_detail::Category category;
    return category;
#endif
}

/// The error code with which an operation of this outcome completes.
///
/// @return Asio's `operation_aborted` for LB_STATUS_CANCELLED, else a code of asio_category(); no error for
///         LB_STATUS_OK.
inline asio_detail::error_code make_asio_error_code(lb_status status) noexcept {
    if (status == LB_STATUS_OK) return {};
    if (status == LB_STATUS_CANCELLED) return asio_detail::net::error::operation_aborted;
    return {static_cast<int>(status), asio_category()};
}

/// @}

/// @cond DETAIL
namespace asio_detail {

class Link;

// An operation that has not completed. It belongs to those that are Outstanding, then to what it posts.
class OperationBase {
public:
    // Hands this operation to its I/O executor, which will complete it.
    virtual void post() = 0;
    // Ends it; its handler is destroyed without being invoked.
    virtual void destroy() noexcept = 0;

    Result result;
    std::shared_ptr<Link> link;
    OperationBase *previous = nullptr;  // these two are guarded by Outstanding::mutex
    OperationBase *next = nullptr;

protected:
    OperationBase() = default;
    ~OperationBase() = default;
};

// The operations of one execution context whose jobs have not ended. It outlives the context, for the jobs' sake.
struct Outstanding {
    std::mutex mutex;  // while it is held, and not closed, the context lives
    bool closed = false;
    OperationBase *first = nullptr;

    void add(OperationBase &operation) noexcept {
        operation.next = first;
        if (first) first->previous = &operation;
        first = &operation;
    }
    void remove(OperationBase &operation) noexcept {
        (operation.previous ? operation.previous->next : first) = operation.next;
        if (operation.next) operation.next->previous = operation.previous;
        operation.previous = operation.next = nullptr;
    }
};

// What an operation, its job's callbacks and its cancellation slot share. Any of them may be the last to go.
class Link {
public:
    Link(std::shared_ptr<Outstanding> outstanding, ProgressFunction on_progress, CompleteFunction on_complete)
        : on_progress_(std::move(on_progress)), on_complete_(std::move(on_complete)),
          outstanding_(std::move(outstanding)) {}

    // Makes the operation outstanding. False where its context is being destroyed.
    bool open(OperationBase &operation) {
        const std::lock_guard<std::mutex> lock(outstanding_->mutex);
        if (outstanding_->closed) return false;
        operation_ = &operation;
        outstanding_->add(operation);
        return true;
    }

    // The job runs: it may have ended already, and somebody may have asked to cancel it.
    void started(Job job) noexcept {
        const std::lock_guard<std::mutex> lock(outstanding_->mutex);
        if (!operation_ || cancelled_) job.cancel();
        if (operation_) {
            job_ = std::move(job);
        } else {
            job.release();
        }
    }

    void cancel() noexcept {
        const std::lock_guard<std::mutex> lock(outstanding_->mutex);
        cancelled_ = true;
        job_.cancel();
    }

    // Of the next two, the caller holds Outstanding::mutex.

    void cancel_and_close() noexcept {
        job_.cancel();
        close();
    }

    // Returns the operation, which is not outstanding any more; null if it was not.
    OperationBase *close() noexcept {
        job_.release();
        OperationBase *operation = std::exchange(operation_, nullptr);
        if (operation) outstanding_->remove(*operation);
        return operation;
    }

    // As close(), for an operation whose job could not be started.
    void not_started() noexcept {
        const std::lock_guard<std::mutex> lock(outstanding_->mutex);
        close();
    }

    bool wants_progress() const noexcept { return static_cast<bool>(on_progress_); }
    void progress(const Progress &progress) const { on_progress_(progress); }

    // On the library's thread. Not even for want of memory may a handler be forgotten: hence noexcept.
    void ended(const Result &outcome) noexcept {
        Result result(outcome);
        try {
            if (on_complete_) on_complete_(outcome);
        } catch (...) {
            if (!result.callback_exception) result.callback_exception = std::current_exception();
        }
        // As for every job: before anybody learns of the end.
        on_progress_ = nullptr;
        on_complete_ = nullptr;
        const std::lock_guard<std::mutex> lock(outstanding_->mutex);
        if (OperationBase *operation = close()) {
            operation->result = std::move(result);
            operation->post();
        }
    }

private:
    ProgressFunction on_progress_;  // of the library's callback thread, as soon as the job was started
    CompleteFunction on_complete_;
    const std::shared_ptr<Outstanding> outstanding_;
    OperationBase *operation_ = nullptr;  // this and the rest are guarded by Outstanding::mutex
    Job job_;
    bool cancelled_ = false;
};

// Where an execution context keeps its outstanding operations.
class Service final : public net::execution_context::service {
public:
    static inline net::execution_context::id id;

    explicit Service(net::execution_context &context) : net::execution_context::service(context) {}

    const std::shared_ptr<Outstanding> outstanding = std::make_shared<Outstanding>();

private:
    void shutdown() override {
        std::unique_lock<std::mutex> lock(outstanding->mutex);
        outstanding->closed = true;
        OperationBase *all = nullptr;
        while (OperationBase *operation = outstanding->first) {
            operation->link->cancel_and_close();
            operation->next = std::exchange(all, operation);
        }
        lock.unlock();
        while (all) std::exchange(all, all->next)->destroy();
    }

    void notify_fork(net::execution_context::fork_event event) override {
        switch (event) {
        case net::execution_context::fork_prepare:
            // So that the library's thread is not amid posting when its copy in the child vanishes.
            outstanding->mutex.lock();
            break;
        case net::execution_context::fork_parent:
            outstanding->mutex.unlock();
            break;
        case net::execution_context::fork_child:
            const std::lock_guard<std::mutex> lock(outstanding->mutex, std::adopt_lock);
            while (OperationBase *operation = outstanding->first) {
                operation->link->close();
                operation->result.status = LB_STATUS_WRONG_PROCESS;
                operation->result.message = category().message(LB_STATUS_WRONG_PROCESS);
                operation->post();
            }
            break;
        }
    }
};

template <typename Executor> net::execution_context &context_of(const Executor &executor) {
#if LB_BACKUP_ASIO_VERSION >= 101700
    if constexpr (net::execution::is_executor<Executor>::value) {
        return net::query(executor, net::execution::context);
    } else
#endif
    {
        return executor.context();
    }
}

template <typename T> constexpr bool is_context = std::is_convertible_v<T &, net::execution_context &>;
template <typename T>
constexpr bool is_executor =
#if LB_BACKUP_ASIO_VERSION >= 101700
    net::execution::is_executor<T>::value ||
#endif
    net::is_executor<T>::value;

template <typename T> auto executor_of(T &where) {
    if constexpr (is_context<T>) {
        return where.get_executor();
    } else {
        return std::remove_const_t<T>(where);
    }
}
// The type of the executor that an asynchronous operation gets, as it is or as its context; nothing for other types.
template <typename T>
using ExecutorOf = typename std::enable_if_t<is_context<std::remove_reference_t<T>> || is_executor<std::decay_t<T>>,
                                             decltype(executor_of(std::declval<std::remove_reference_t<T> &>()))>;

#if LB_BACKUP_ASIO_VERSION >= 101600
template <typename Executor> using DefaultToken = typename net::default_completion_token<Executor>::type;
#else
template <typename> using DefaultToken = void;  // there is none
#endif

// An executor that has outstanding work.
template <typename Executor, typename = void> class Work {
public:
    explicit Work(const Executor &executor) : guard_(executor) {}
    Executor executor() const noexcept { return guard_.get_executor(); }
    void finish() noexcept { guard_.reset(); }

private:
    net::executor_work_guard<Executor> guard_;
};
#if LB_BACKUP_ASIO_VERSION >= 101700
// Asio's own guard takes some of these for executors of the older kind, which they only look like.
template <typename Executor> class Work<Executor, std::enable_if_t<net::execution::is_executor<Executor>::value>> {
public:
    explicit Work(const Executor &executor) : executor_(executor), work_(track(executor)) {}
    Executor executor() const noexcept { return executor_; }
    void finish() noexcept { work_.reset(); }

private:
    static auto track(const Executor &executor) {
        return net::prefer(executor, net::execution::outstanding_work.tracked);
    }

    Executor executor_;
    std::optional<decltype(track(std::declval<const Executor &>()))> work_;
};
#endif

struct Destroy {
    void operator()(OperationBase *operation) const noexcept { operation->destroy(); }
};

#if LB_BACKUP_ASIO_VERSION >= 101900
struct Cancel {
    std::shared_ptr<Link> link;
    void operator()(net::cancellation_type type) const noexcept {
        if (type != net::cancellation_type::none) link->cancel();
    }
};
#endif

// An operation with all that is known at compile time. It lies in memory of the handler's associated allocator, together
// with the handler.
template <typename IoExecutor, typename Handler> class Operation final : public OperationBase {
public:
    using Owner = std::unique_ptr<Operation, Destroy>;
    using HandlerExecutor = typename net::associated_executor<Handler, IoExecutor>::type;
    using HandlerAllocator = typename net::associated_allocator<Handler>::type;

    template <typename H> static Owner create(H &&handler, const IoExecutor &io_executor) {
        Allocator allocator(net::get_associated_allocator(handler));
        Operation *memory = Traits::allocate(allocator, 1);
        try {
            return Owner(::new (static_cast<void *>(memory)) Operation(std::forward<H>(handler), io_executor));
        } catch (...) {
            Traits::deallocate(allocator, memory, 1);
            throw;
        }
    }

    HandlerExecutor handler_executor() const noexcept { return handler_work_.executor(); }
    HandlerAllocator handler_allocator() const noexcept { return net::get_associated_allocator(handler_); }

    void assign_cancellation_slot() {
#if LB_BACKUP_ASIO_VERSION >= 101900
        auto slot = net::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) slot.template emplace<Cancel>(Cancel{link});
#endif
    }
    void clear_cancellation_slot() noexcept {
#if LB_BACKUP_ASIO_VERSION >= 101900
        auto slot = net::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) slot.clear();
#endif
    }

    // From the thread of the job to a thread of the I/O executor, where the handler's allocator may be used.
    void post() override {
        const IoExecutor io_executor = io_work_.executor();  // the operation may be gone before post returns
        net::post(io_executor, Posted{Owner(this)});
    }

    void destroy() noexcept override { destroy(handler_); }

private:
    using Allocator = typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<Operation>;
    using Traits = std::allocator_traits<Allocator>;

    // Runs on the I/O executor.
    struct Posted {
        Owner operation;

        void operator()() {
            operation->io_work_.finish();
            net::dispatch(Dispatched{std::move(operation)});
        }
    };

    // Runs on the handler's executor.
    struct Dispatched {
        using executor_type = HandlerExecutor;
        using allocator_type = HandlerAllocator;

        Owner operation;

        executor_type get_executor() const noexcept { return operation->handler_executor(); }
        allocator_type get_allocator() const noexcept { return operation->handler_allocator(); }
        void operator()() { complete(std::move(operation)); }
    };

    template <typename H>
    Operation(H &&handler, const IoExecutor &io_executor)
        : handler_(std::forward<H>(handler)), io_work_(io_executor),
          handler_work_(net::get_associated_executor(handler_, io_executor)) {}
    ~Operation() = default;

    // `handler` is this operation's, or was moved from it.
    void destroy(const Handler &handler) noexcept {
        Allocator allocator(net::get_associated_allocator(handler));
        this->~Operation();
        Traits::deallocate(allocator, this, 1);
    }

    static void complete(Owner operation) {
        operation->clear_cancellation_slot();
        Handler handler(std::move(operation->handler_));
        Result result(std::move(operation->result));
        // The handler may start the next operation in the same memory.
        operation.release()->destroy(handler);
        const error_code ec = make_asio_error_code(result.status);
        std::move(handler)(ec, std::move(result));
    }

    Handler handler_;
    Work<IoExecutor> io_work_;
    Work<HandlerExecutor> handler_work_;
};

// What an asynchronous operation does once its completion token has become a handler.
template <typename Executor> class Initiation {
public:
    using executor_type = Executor;

    explicit Initiation(const Executor &executor) : executor_(executor) {}

    executor_type get_executor() const noexcept { return executor_; }

    // `start(options, error)` starts the job.
    template <typename Handler, typename Start, typename Options>
    void operator()(Handler &&handler, const Start &start, Options options) const {
        using ThisOperation = Operation<Executor, std::decay_t<Handler>>;
        net::execution_context &context = context_of(executor_);
        // A context shuts its services down from the newest to the oldest. Ours must go before the one behind strands,
        // which jobs post to until then: so that one is made first.
        if (!net::has_service<Service>(context)) static_cast<void>(net::strand<Executor>(executor_));
        const auto outstanding = net::use_service<Service>(context).outstanding;
        typename ThisOperation::Owner owner = ThisOperation::create(std::forward<Handler>(handler), executor_);
        const auto link =
            std::make_shared<Link>(outstanding, std::move(options.on_progress), std::move(options.on_complete));
        if (link->wants_progress()) {
            options.on_progress = [link](const Progress &progress) { link->progress(progress); };
        }
        options.on_complete = [link](const Result &outcome) { link->ended(outcome); };
        owner->link = link;
        // Before the job starts: it may end at once.
        owner->assign_cancellation_slot();
        if (!link->open(*owner)) return;
        ThisOperation &operation = *owner.release();

        auto error = lb::detail::sized<lb_error>();
        Job job;
        try {
            job = start(options, error);
        } catch (...) {
            link->not_started();
            owner.reset(&operation);
            operation.clear_cancellation_slot();
            throw;
        }
        if (job) {
            link->started(std::move(job));  // from now on the operation may be gone
            return;
        }
        link->not_started();
        operation.result.status = error.status;
        operation.result.sqlite_code = error.sqlite_code;
        operation.result.sys_errno = error.sys_errno;
        operation.result.message = error.message;
        operation.post();
    }

private:
    Executor executor_;
};

template <typename Where, typename Token, typename Start, typename Options>
decltype(auto) initiate(Where &where, Token &token, Start start, Options &options) {
    using Executor = ExecutorOf<Where>;
    return net::async_initiate<Token, void(error_code, Result)>(Initiation<Executor>(executor_of(where)), token,
                                                                std::move(start), std::move(options));
}

}  // namespace asio_detail
/// @endcond

/// @name Asynchronous operations
/// @{

/// Takes a backup of the SQLite database at `source` into the new file `dest`; see start_backup.
///
/// Returns at once, as lb_backup_start does; no thread waits for the end. The job starts when the operation is initiated,
/// which lazy tokens (`use_awaitable`, `deferred`) put off.
///
/// The handler is invoked exactly once, on its associated executor, never from within this call. Until then there is
/// outstanding work on both executors, and the operation is in memory of the handler's associated allocator, which is
/// used by the thread that initiates and by threads of the two executors, never by the library's. Cancelling, of any
/// type, through the handler's slot cancels the job.
///
/// @param ex       The I/O executor, or its execution context: the default for handlers without one of their own.
/// @param source   The database; a symbolic link is followed.
/// @param dest     Where the archive appears, complete, durable and verified. Its directory must exist.
/// @param options  Empty fields have their defaults. Callbacks in it run on the library's thread, before the handler.
/// @param token    Any completion token for `void(error_code, lb::Result)`. A start that is refused completes as well:
///                 with its status, SQLite code, errno and message in the result.
/// @return What the token makes of it.
template <typename Executor, typename Token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>,
          typename = asio_detail::ExecutorOf<Executor>>
decltype(auto) async_backup(Executor &&ex, std::filesystem::path source, std::filesystem::path dest,
                            BackupOptions options = {},
                            Token &&token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>()) {
    return asio_detail::initiate(
        ex, token,
        [source = std::move(source), dest = std::move(dest)](BackupOptions &in, lb_error &error) {
            return lb::detail::start_backup(source, dest, in, error);
        },
        options);
}

/// Restores a backup to a new file, or onto an existing database while it is in use; see start_restore. What was said of
/// async_backup holds.
///
/// @param ex       The I/O executor, or its execution context.
/// @param archive  The backup: a plain database, an archive of this library, another tool's Zstandard or gzip file.
/// @param dest     The database. Its directory must exist.
/// @param options  Empty fields have their defaults: the destination must not exist.
/// @param token    Any completion token for `void(error_code, lb::Result)`.
/// @return What the token makes of it.
template <typename Executor, typename Token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>,
          typename = asio_detail::ExecutorOf<Executor>>
decltype(auto) async_restore(Executor &&ex, std::filesystem::path archive, std::filesystem::path dest,
                             RestoreOptions options = {},
                             Token &&token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>()) {
    return asio_detail::initiate(
        ex, token,
        [archive = std::move(archive), dest = std::move(dest)](RestoreOptions &in, lb_error &error) {
            return lb::detail::start_restore(archive, dest, in, error);
        },
        options);
}

/// Verifies a backup file of any kind that async_restore reads; see start_verify. What was said of async_backup holds.
///
/// @param ex       The I/O executor, or its execution context.
/// @param archive  The file. One that fails is LB_STATUS_CORRUPT; Result::failed_check says which check.
/// @param options  Empty fields have their defaults.
/// @param token    Any completion token for `void(error_code, lb::Result)`.
/// @return What the token makes of it.
template <typename Executor, typename Token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>,
          typename = asio_detail::ExecutorOf<Executor>>
decltype(auto) async_verify(Executor &&ex, std::filesystem::path archive, VerifyOptions options = {},
                            Token &&token = asio_detail::DefaultToken<asio_detail::ExecutorOf<Executor>>()) {
    return asio_detail::initiate(
        ex, token,
        [archive = std::move(archive)](VerifyOptions &in, lb_error &error) {
            return lb::detail::start_verify(archive, in, error);
        },
        options);
}

/// @}

}  // namespace LB_BACKUP_ASIO_NAMESPACE
}  // namespace v0_1
}  // namespace lb

#if !defined(LB_BACKUP_USE_STANDALONE_ASIO)

/// @name Comparing the error code of an operation with a status
///
/// As std::error_code has it for lb_status: LB_STATUS_OK is no error. LB_STATUS_CANCELLED is never equal, as operations
/// that were cancelled have `asio::error::operation_aborted`.
/// @{

/// Whether an operation ended with that status.
inline bool operator==(const boost::system::error_code &ec, lb_status status) noexcept {
    return status == LB_STATUS_OK ? !ec
                                  : ec == boost::system::error_code(static_cast<int>(status), lb::asio_category());
}
/// As above.
inline bool operator==(lb_status status, const boost::system::error_code &ec) noexcept { return ec == status; }
/// As above.
inline bool operator!=(const boost::system::error_code &ec, lb_status status) noexcept { return !(ec == status); }
/// As above.
inline bool operator!=(lb_status status, const boost::system::error_code &ec) noexcept { return !(ec == status); }
/// @}

/// @cond DETAIL
// A newer Boost (1.81) converts std::error_code to its own: without these, comparing one with a status is ambiguous.
inline bool operator==(const std::error_code &ec, lb_status status) noexcept { return ec == make_error_code(status); }
inline bool operator==(lb_status status, const std::error_code &ec) noexcept { return ec == make_error_code(status); }
inline bool operator!=(const std::error_code &ec, lb_status status) noexcept { return ec != make_error_code(status); }
inline bool operator!=(lb_status status, const std::error_code &ec) noexcept { return ec != make_error_code(status); }
/// @endcond

#endif

#undef LB_BACKUP_ASIO_NAMESPACE
#undef LB_BACKUP_ASIO_VERSION

#endif
